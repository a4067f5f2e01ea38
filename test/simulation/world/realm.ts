import type { Broker, DeadLetter, Envelope, HistoryRecord } from "@millrace/core";
import type { Network } from "../broker/network.ts";
import type { SimProcess } from "../engine/process.ts";
import type { Timeline } from "../engine/timeline.ts";

/** What is still there in a world that should be empty. */
export interface Leftover {
  readonly what: "queued" | "delayed" | "blocked" | "batch" | "lock" | "event";
  readonly detail: string;
}

/** What every write of interest is told to, as it is stored. */
export interface Tap {
  recorded(record: HistoryRecord): void;
  buried(letter: DeadLetter): void;
  /** A letter is gone: whoever wrote it found that another run had ended the job. */
  withdrawn(letter: DeadLetter): void;
  /** The key and the value of a note: a suspect is about to be started on its turn. */
  onQuarantine(key: string, value: unknown): void;
  /** Of this job a killed server has forgotten that it had handed it out. */
  forgotten?(job: Pick<Envelope, "id" | "queue">): void;
  /** A job's message id, as its message is stored. */
  stored?(id: string): void;
  /** A machine's document as it is written: undefined where it is removed. */
  kept?(key: string, value: unknown): void;
}

/** What a foreign program puts on a producer's door of a queue, whatever it likes. */
export interface ForeignMessage {
  readonly queue: string;
  readonly messageId: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The server's side of a world, and the way to it: at the level of the broker port, or below the
 * real broker-nats. The world knows no more of it than this.
 */
export interface Realm {
  /** A broker for one process. It ends with the process. */
  brokerFor(process: SimProcess): Broker | Promise<Broker>;
  cut(process: SimProcess, forMs: number): void;
  crash(forgetMs: number, downMs: number): void;
  elect(forMs: number): void;
  publishForeign(message: ForeignMessage): void;
  leftovers(): readonly Leftover[];
}

export type RealmOf = (timeline: Timeline, network: Network, tap: Tap) => Realm;
