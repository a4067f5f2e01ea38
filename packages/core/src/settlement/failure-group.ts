/**
 * Attempts that failed of one cause: of one queue and job, and of one fingerprint of the error.
 * Counted are those that were tried again, and those with which their job died.
 */
export interface FailureGroup {
  readonly queue: string;
  readonly name: string;
  /** The type of the error. */
  readonly error: string;
  /** As that of dead letters: of the error's type, pattern and frame. */
  readonly fingerprint: string;
  /** The message with `*` for what varies: numbers, ids, times, addresses, quoted texts. */
  readonly pattern: string;
  /** Where the application's own code failed. Absent without a stack. */
  readonly frame?: string;
  /** Attempts. */
  readonly failures: number;
  /** How many of them were their job's last one: it died. */
  readonly died: number;
  /** Jobs of which at least one attempt failed so, whatever became of them. */
  readonly jobs: number;
  /** When the first and the last of the attempts ended, epoch milliseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** In each hour in which one failed, the oldest first; `at` is when it began. */
  readonly perHour: readonly {
    readonly at: number;
    readonly failures: number;
    readonly died: number;
  }[];
  /** How many failed on which node, the most first; of more than 20 nodes, the first. */
  readonly nodes: readonly { readonly node: string; readonly count: number }[];
  /** How many nodes that were. */
  readonly nodeCount: number;
  /** The job of the last one. */
  readonly lastId: string;
  /** Of that one, where it was traced. */
  readonly lastTraceId?: string;
  /** The last one's message, with what varies. */
  readonly message: string;
}
