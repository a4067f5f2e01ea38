import type { Envelope } from "../../envelope/envelope.ts";
import type { Stoppable } from "../stoppable.ts";

export interface ArrivalQuery {
  /** Only what was stored behind this position. */
  readonly after: number;
  /** Most jobs. Default 1,000. */
  readonly limit?: number;
}

/** A job in a queue, with its place there. */
export interface Arrival {
  readonly envelope: Envelope;
  /** Only grows; there are gaps. */
  readonly position: number;
  readonly storedAt: number;
}

/** A part of what lies in a queue. */
export interface Arrivals {
  /**
   * Positions of the oldest job that is left and of the newest there ever was: where nothing is
   * left, the oldest is behind the newest.
   */
  readonly oldest: number;
  readonly newest: number;
  /** Nothing up to here is left to be read. */
  readonly until: number;
  /** In the order of storing. What can't be read as a job is left out. */
  readonly jobs: readonly Arrival[];
}

/**
 * What became of a job that was to be taken out. `taken`: nobody has had it, and nobody will.
 * `handed-out`: a node has had it, and it is left alone. `absent`: nothing lies there.
 * `doubtful`: it is out, and a node may have got it at the same moment.
 *
 * A server that was killed may have forgotten that it handed the job out: then `taken` is what it
 * knows.
 */
export type TakenOut = "taken" | "handed-out" | "absent" | "doubtful";

/** What comes into queues, for who keeps an account of jobs: for looking, not for working. */
export interface ArrivalStore {
  /**
   * The next part of what lies in a queue behind a position, handed out or not. What was settled is
   * gone.
   *
   * @throws MillraceError `queue-not-found`
   */
  stretch(queue: string, query: ArrivalQuery): Promise<Arrivals>;
  /**
   * Takes a job out of its queue that was handed to nobody yet. Nothing is recorded of it.
   *
   * @param position as `stretch` says it
   */
  takeOut(queue: string, position: number): Promise<TakenOut>;
  /**
   * Calls for each new job, of every queue, as soon as the connection hears of it: perhaps before
   * it is stored, so the store may yet refuse it, or have it already. Retries are not told, nor
   * what comes without an id of its own. What comes while the connection is away goes by unheard.
   */
  hear(listener: (envelope: Envelope) => void): Promise<Stoppable>;
}
