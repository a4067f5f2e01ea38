import type { FirstMessage } from "../envelope/enqueue-ref.ts";
import type { RecordedError } from "../errors/recorded-error.ts";
import type { MessageOrigin } from "../envelope/message.ts";
import type { DeadReason } from "./dead-reason.ts";

/**
 * For so long an operation can be undone: what it kept of a letter that it discarded is gone then.
 */
export const UNDO_MS = 7 * 24 * 3_600_000;

/**
 * A job that will not be tried again by itself, with everything needed to understand it and to run
 * it again. Which enqueue of its id it is goes with it into the job's next life; what an earlier
 * version buried doesn't say it.
 */
export interface DeadLetter extends FirstMessage {
  readonly id: string;
  /** Absent where the bytes could not be read that far. */
  readonly name?: string;
  readonly queue: string;
  readonly reason: DeadReason;
  readonly attempts: number;
  readonly error?: RecordedError;
  /** The first attempt's error, where it is another one. */
  readonly firstError?: RecordedError;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly node: string;
  /**
   * On which door the job came in: of a producer's nothing is believed that is the runtime's to
   * write. Absent in what an earlier version buried.
   */
  readonly door?: MessageOrigin;
  /** The bytes as they stood in the queue. */
  readonly body: Uint8Array;
  /** The headers as they stood in the queue, keys in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}
