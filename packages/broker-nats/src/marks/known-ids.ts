import { someAtATime } from "@millrace/core";
import type { NatsConnection } from "@nats-io/nats-core";
import { MillraceError } from "../errors.ts";
import { encodeHeaders } from "../wire/headers.ts";
import { type BatchOutcome, publishBatch, refusalCode } from "./atomic-batch.ts";

/** No stream's last message has this place, so nothing is stored that is to follow it. */
const NEVER = String(Number.MAX_SAFE_INTEGER);
const WRONG_LAST_SEQUENCE = 10071;

/** A message id and the subject it would be published on. */
export interface AskedId {
  readonly subject: string;
  readonly id: string;
}

/**
 * Which of the ids the stream knows already. Of a message of a batch the server looks for a
 * duplicate before it asks which place was the last: a batch of one that is to follow a place that
 * is none tells the two apart and stores nothing.
 *
 * Do not ask by a publish without a batch. With `Nats-Expected-Last-Msg-Id` it stops a stream with
 * replicas for good (nats-server 2.15.2), because each replica looks at that header only when the
 * message is agreed on; with an expected sequence a stream of one replica never names a duplicate.
 * See docs/decisions/cluster.md.
 *
 * @throws MillraceError `request-timeout` and its kin
 */
export async function knownIds(
  nc: NatsConnection,
  asked: readonly AskedId[],
): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  await someAtATime(asked, async (one) => {
    if (await isKnown(nc, one)) known.add(one.id);
  });
  return known;
}

async function isKnown(nc: NatsConnection, { subject, id }: AskedId): Promise<boolean> {
  const headers = encodeHeaders({ "Nats-Msg-Id": id, "Nats-Expected-Last-Sequence": NEVER });
  let outcome: BatchOutcome;
  try {
    outcome = await publishBatch(nc, [{ subject, data: new Uint8Array(), headers }]);
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    if (refusalCode(error) === WRONG_LAST_SEQUENCE) return false;
    // Nothing was to be stored: a question had no answer.
    throw error.code === "publish-timeout"
      ? new MillraceError("request-timeout", `No answer came to whether the id ${id} is known.`, {
          cause: error,
        })
      : error;
  }
  if (outcome.kind === "duplicate") return true;
  throw new MillraceError("broker-unavailable", `The server did not tell about the id ${id}.`);
}
