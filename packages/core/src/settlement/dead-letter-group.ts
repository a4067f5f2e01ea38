import type { DeadReason } from "./dead-reason.ts";

/** Dead letters that have the same cause, as far as can be told. */
export interface DeadLetterGroup {
  readonly queue: string;
  /** Absent where the bytes could not be read that far. */
  readonly name?: string;
  readonly reason: DeadReason;
  /** The type of the recorded error; absent where none was recorded. */
  readonly error?: string;
  readonly count: number;
  /** When the first and the last of them died, epoch milliseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
  /**
   * How many died in each hour in which one did, the oldest hour first; `at` is when it began. Of
   * more than 168 hours, the newest.
   */
  readonly perHour: readonly { readonly at: number; readonly count: number }[];
  /** Of the last one: to look at one of them. */
  readonly lastId: string;
  /** The last one's message. Two of a type may differ in it. */
  readonly message?: string;
}
