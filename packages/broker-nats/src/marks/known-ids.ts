import type { NatsConnection } from "@nats-io/nats-core";
import { MillraceError } from "../errors.ts";
import { request } from "../jetstream-errors.ts";
import { judgePubAck } from "../publish/pub-ack.ts";
import { encodeHeaders, rawHeaders } from "../wire/headers.ts";
import { refusalCode } from "./atomic-batch.ts";

/** No message has this id, so none is stored that is to follow it. */
const NEVER = "/";
const TIMEOUT_MS = 5_000;

/** A message id and the subject it would be published on. */
export interface AskedId {
  readonly subject: string;
  readonly id: string;
}

/**
 * Which of the ids the stream knows already. The server looks for a duplicate before it asks which
 * message was the last: a publish that is to follow none there is tells the two apart and stores
 * nothing.
 *
 * @throws MillraceError `request-timeout` and its kin
 */
export async function knownIds(
  nc: NatsConnection,
  asked: readonly AskedId[],
): Promise<ReadonlySet<string>> {
  const known = await Promise.all(asked.map((one) => isKnown(nc, one)));
  return new Set(asked.filter((_, index) => known[index]).map(({ id }) => id));
}

async function isKnown(nc: NatsConnection, { subject, id }: AskedId): Promise<boolean> {
  const headers = rawHeaders(
    encodeHeaders({ "Nats-Msg-Id": id, "Nats-Expected-Last-Msg-Id": NEVER }),
  );
  const reply = await request("ask for a message id", () =>
    nc.request(subject, new Uint8Array(), { headers, timeout: TIMEOUT_MS }),
  );
  const meaning = judgePubAck(reply, subject, 1);
  if (meaning instanceof MillraceError) {
    if (refusalCode(meaning) === WRONG_LAST_MESSAGE_ID) return false;
    throw meaning;
  }
  if (typeof meaning === "symbol" || !meaning.duplicate)
    throw new MillraceError("broker-unavailable", `The server did not tell about the id ${id}.`);
  return true;
}

const WRONG_LAST_MESSAGE_ID = 10070;
