import { MillraceError } from "../../errors/millrace-error.ts";
import type { MachineRef } from "../../durable/machine-names.ts";
import type { Stoppable } from "../stoppable.ts";

/** The most bytes of one event, without its headers. */
export const MAX_EVENT_BYTES = 256 * 1024;

/** The most events that wait for one machine: a further one is refused. */
export const MAX_WAITING_EVENTS = 1_000;

/** What anybody may send to a machine who may publish to its inbox. */
export interface InboxBody {
  readonly kind: "event" | "start" | "stop";
  /** JSON: the event, or the input of a start. */
  readonly data: Uint8Array;
  /** Event id: the same id sent twice counts once. Left out: each event counts. */
  readonly eventId?: string;
  /** The trace that it is sent in, as `traceHeaders` gives it. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a machine's host is given. */
export interface InboxMessage extends MachineRef {
  /** `end`: of a job that it has invoked. `tick`: a timer may be due. */
  readonly kind: InboxBody["kind"] | "end" | "tick";
  /** Grows with each message that was sent (`send`), and no two ever have one. */
  readonly sequence: number;
  /** Where it lies, for `has`. */
  readonly place: string;
  /** It was handed out before, and nobody has said since what became of it. */
  readonly isAgain: boolean;
  readonly data: Uint8Array;
  readonly eventId?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What has come to the machines of one name, and was not taken yet. */
export interface MachineBacklog {
  readonly machine: string;
  /** Events, ends of jobs and timers that are due; what a host has in hand is among them. */
  readonly waiting: number;
  /** Since when the oldest waits. */
  readonly oldestAgeMs: number;
}

export interface HostOptions {
  /** Messages that are in hand at once. */
  readonly slots: number;
  /**
   * Called in the order of the inbox. Once it resolves the message is gone; where it rejects, or
   * the host dies, the message comes again, to whoever hosts the machine. With `NotNow` it comes
   * less and less often, and nothing is reported.
   */
  readonly take: (message: InboxMessage) => Promise<void>;
}

/**
 * What a host gives back and has said itself why, where that has to be said: nobody reports it once
 * more.
 */
export class NotNow extends MillraceError {}

/**
 * Where everything lies that comes to durable machines, until one of their hosts has taken it.
 *
 * What was delivered to one host and is not gone is still found by the others: whoever takes a
 * later message of a machine looks for the earlier ones first.
 */
export interface InboxStore {
  /**
   * Stores it, confirmed. May be stored twice where the answer to the first was lost.
   *
   * @throws MillraceError `queue-full` where as many wait already as may; `payload-too-large`,
   *   `publish-timeout` …
   */
  send(to: MachineRef, body: InboxBody): Promise<void>;
  /** The same of how a job has ended, where only the runtime may write. */
  tell(to: MachineRef, data: Uint8Array, headers?: InboxBody["headers"]): Promise<void>;
  /**
   * Has the machine told of this at a time, epoch milliseconds of the broker's clock. Takes the
   * place of a tick that was asked for earlier, where the broker can; else both come.
   */
  tick(to: MachineRef, data: Uint8Array, at: number): Promise<void>;
  /** Up to where ticks have been asked for by now, of all machines: for `dropTicks`. */
  ticksAsked(): Promise<number>;
  /** Forgets a machine's ticks, but none that was asked for after `until`. */
  dropTicks(of: MachineRef, until: number): Promise<void>;
  /**
   * The first of what was sent (`send`) to a machine from a place on. Whatever was confirmed and is
   * not gone is found.
   */
  next(of: MachineRef, from: number): Promise<InboxMessage | undefined>;
  /** Whether the message that lay at a place is still there. */
  has(place: string): Promise<boolean>;
  /**
   * What waits, by the machines' names, also of those that nobody hosts; none where nothing waits.
   * A broker whose hosts give timers back until their time leaves timers out.
   */
  backlogs(): Promise<readonly MachineBacklog[]>;
  /** Takes what comes to the machines of one name, with all others who host them. */
  host(machine: string, options: HostOptions): Promise<Stoppable>;
}
