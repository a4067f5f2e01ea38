import type { ConsumerInfo } from "@nats-io/jetstream";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, CONSUMER_NOT_FOUND } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";

/** What the server says of a lane's consumer; undefined of a lane that was never worked. */
export async function laneConsumer(
  { jsm }: Pick<ServerAccess, "jsm">,
  stream: string,
  consumer: string,
): Promise<ConsumerInfo | undefined> {
  try {
    return await jsm.consumers.info(stream, consumer);
  } catch (error) {
    const code = apiCode(error);
    if (code === CONSUMER_NOT_FOUND || code === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}
