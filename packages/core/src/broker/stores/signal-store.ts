import type { JobRef } from "../../envelope/envelope.ts";
import type { Stoppable } from "../stoppable.ts";

/** Which signal of which job. */
export interface SignalRef extends JobRef {
  /** As a job's id is made: one token of a subject. */
  readonly name: string;
}

/** A signal as it is sent. */
export interface SignalBody {
  /** Nothing at all stands for no value. */
  readonly data: Uint8Array;
  /** Left out: JSON. */
  readonly contentType?: string;
  /** Signal id: the same id sent twice counts once. Left out: each signal counts. */
  readonly signalId?: string;
}

/** A signal that was stored and that nobody has dropped. */
export interface StoredSignal extends SignalBody {
  readonly sequence: number;
  /** Epoch milliseconds of the broker's clock. */
  readonly storedAt: number;
}

/** The most signals of one name that wait for one job: a further one is refused. */
export const MAX_WAITING_SIGNALS = 100;
/** The most bytes of one signal, with its headers. */
export const MAX_SIGNAL_BYTES = 256 * 1024;

/**
 * What was sent to jobs with steps from outside. A signal is stored whether its job waits for it or
 * not, and whether there is such a job: it lies there until the job has taken it or has ended.
 */
export interface SignalStore {
  /**
   * Stores a signal, confirmed. May be stored twice where the answer to the first was lost.
   *
   * @throws MillraceError `queue-full` where as many wait already as may; `payload-too-large`,
   *   `publish-timeout` …
   */
  send(signal: SignalRef, body: SignalBody): Promise<void>;
  /** Those of one name, the oldest first. Whatever was confirmed is there. */
  read(signal: SignalRef): Promise<readonly StoredSignal[]>;
  /** Forgets one. Idempotent. */
  drop(signal: SignalRef, sequence: number): Promise<void>;
  /** The newest of a job's, of whatever name: its sequence, or 0 where there is none. */
  newest(job: JobRef): Promise<number>;
  /** Forgets all of a job's, or those up to a sequence. Idempotent. */
  remove(job: JobRef, until?: number): Promise<void>;
  /**
   * Tells of each signal that is stored, one of all who follow; of those too that were stored while
   * nobody did. Where `hear` rejects, or who heard it is gone, it is told again, to anybody.
   */
  follow(hear: (signal: SignalRef) => Promise<void>): Promise<Stoppable>;
}
