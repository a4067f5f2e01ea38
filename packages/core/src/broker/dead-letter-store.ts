import type { DeadLetter } from "../settlement/dead-letter.ts";

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

/** Jobs that are not tried again by themselves. Written by settlement alone. */
export interface DeadLetterStore {
  /** Oldest first. */
  list(query?: DeadLetterQuery): Promise<readonly StoredDeadLetter[]>;
  /** @returns false where it was gone already */
  remove(sequence: number): Promise<boolean>;
}
