import type { DeadReason } from "./dead-reason.ts";

/** Dead letters that have the same cause, as far as can be told. */
export interface DeadLetterGroup {
  readonly queue: string;
  /** Absent where the bytes could not be read that far. */
  readonly name?: string;
  readonly reason: DeadReason;
  /** The type of the recorded error; absent where none was recorded. */
  readonly error?: string;
  /**
   * Names the error's type, pattern and frame, for a filter: `fingerprint:4f0c1a9be213`. Absent
   * where no error was recorded, as are these two.
   */
  readonly fingerprint?: string;
  /** The message with `*` for what varies: numbers, ids, times, addresses, quoted texts. */
  readonly pattern?: string;
  /** Where the application's own code failed: `charge (billing.js)`. Absent without a stack. */
  readonly frame?: string;
  readonly count: number;
  /** When the first and the last of them died, epoch milliseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
  /**
   * How many died in each hour in which one did, the oldest hour first; `at` is when it began. Of
   * more than 168 hours, the newest.
   */
  readonly perHour: readonly { readonly at: number; readonly count: number }[];
  /** How many died on which node, the most first; of more than 20 nodes, the first. */
  readonly nodes: readonly { readonly node: string; readonly count: number }[];
  /** How many nodes that were. */
  readonly nodeCount: number;
  /** Of the last one: to look at one of them. */
  readonly lastId: string;
  /** Of that one, where it was traced. */
  readonly lastTraceId?: string;
  /** The last one's message, with what varies. */
  readonly message?: string;
}
