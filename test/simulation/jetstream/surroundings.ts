import type { Clock } from "@millrace/core";
import type { Flavour } from "./flavour.ts";
import type { Journal } from "./journal.ts";
import type { Packet } from "./packet.ts";
import type { Messages } from "./stored.ts";

/** What a consumer needs of its server. */
export interface Surroundings {
  readonly clock: Clock;
  readonly flavour: Flavour;
  /** Sends to whoever listens to `to`; the packet's own subject is what they see. */
  send(to: string, packet: Packet): void;
  isHeard(subject: string): boolean;
}

export interface ConsumerOwner extends Surroundings {
  readonly stream: string;
  /** Of the stream. */
  readonly replicas: number;
  readonly messages: Messages;
  readonly journal: Journal;
  /** It was acked: a work queue forgets it. */
  acked(seq: number): void;
  /** Nobody has asked for it for so long. */
  idle(name: string): void;
}
