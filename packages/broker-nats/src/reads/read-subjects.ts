import type { JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { readStream, type StreamMessage } from "./read-stream.ts";

/** A subject would have to be written in each of them to be missed. */
const ROUNDS = 10;

/**
 * Reads a stream that holds one message a subject: the newest of each.
 *
 * A subject that is written behind the reader moves to the stream's end. It comes once more there,
 * or for the first time if the reader had not come to its old place: so reading goes on until
 * nothing came after what was read.
 *
 * @param range.most once more subjects are known, no more are read
 */
export async function readSubjects(
  nc: NatsConnection,
  jsm: JetStreamManager,
  {
    most = Infinity,
    ...range
  }: { readonly stream: string; readonly filter?: string; readonly most?: number },
): Promise<ReadonlyMap<string, StreamMessage>> {
  const newest = new Map<string, StreamMessage>();
  let last = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    const from = last + 1;
    for await (const message of readStream(nc, jsm, { ...range, from })) {
      newest.set(message.subject, message);
      last = message.sequence;
      if (newest.size > most) return newest;
    }
    if (last < from) break;
  }
  return newest;
}
