import type { JetStreamManager } from "@nats-io/jetstream";
import { apiCode } from "../jetstream-errors.ts";
import { NO_MESSAGE } from "../error-codes.ts";

/** The message is gone, and lay between others. */
const SEQUENCE_NOT_FOUND = 10043;
/**
 * The message lay before the stream's first, or something else failed: the server says which in
 * words only.
 */
const DELETE_FAILED = 10057;

/**
 * Takes one message out of a stream.
 *
 * @returns whether it was there
 * @throws what the client throws
 */
export async function removeMessage(
  jsm: JetStreamManager,
  stream: string,
  sequence: number,
): Promise<boolean> {
  try {
    return await jsm.streams.deleteMessage(stream, sequence, false);
  } catch (error) {
    const code = apiCode(error);
    if (code === NO_MESSAGE || code === SEQUENCE_NOT_FOUND) return false;
    if (code !== DELETE_FAILED) throw error;
    if ((await jsm.streams.getMessage(stream, { seq: sequence })) !== null) throw error;
    return false;
  }
}
