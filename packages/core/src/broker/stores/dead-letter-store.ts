import type { JobRef } from "../../envelope/envelope.ts";
import type { DeadLetter } from "../../settlement/dead-letter.ts";
import type { NewestOptions } from "./delayed-store.ts";
import type { TailQuery } from "./history-store.ts";

/** A dead letter with its place in the store. */
export interface StoredDeadLetter extends DeadLetter {
  /** The position in the store, by which exactly this letter is removed. */
  readonly sequence: number;
}

export interface DeadLetterQuery {
  readonly queue?: string;
  readonly id?: string;
  /** Default 100. */
  readonly limit?: number;
  /** Only letters after this position, for paging. */
  readonly after?: number;
}

/** Whose letter was stored when. */
export interface BuriedJob extends JobRef {
  /** By the clock that messages' `storedAt` is by. */
  readonly storedAt: number;
}

/** Jobs that are not tried again by themselves. Written by settlement, and by who puts one back. */
export interface DeadLetterStore {
  /** Oldest first. */
  list(query?: DeadLetterQuery): Promise<readonly StoredDeadLetter[]>;
  /**
   * The position of the last letter that was ever stored, of whatever queue: 0 without one. As
   * `DelayedStore.newest`.
   */
  newest(options?: NewestOptions): Promise<number>;
  /**
   * The jobs whose letters were stored within some time of the newest letter there is, oldest
   * first: what was last buried before a server's crash.
   */
  tail(query: TailQuery): Promise<readonly BuriedJob[]>;
  /**
   * Puts a letter back that was removed, as it was. Confirmed.
   *
   * @param once within the store's memory of ids, a letter is added once under these words
   * @returns its new place in the store
   */
  add(letter: DeadLetter, once: string): Promise<number>;
  /** @returns false where it was gone already */
  remove(sequence: number): Promise<boolean>;
}
