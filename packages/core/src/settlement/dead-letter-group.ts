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
  /** Of the last one: to look at one of them. */
  readonly lastId: string;
  /** The last one's message. Two of a type may differ in it. */
  readonly message?: string;
}
