import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { randomBytes } from "node:crypto";
import { MillraceError } from "../errors.ts";
import { asMillraceError, deniedPart, isUnheard } from "../jetstream-errors.ts";
import type { OutgoingMessage } from "../publish/batch.ts";
import { JetStreamRefusal, judgePubAck } from "../publish/pub-ack.ts";
import { encodeHeaders, rawHeaders } from "../wire/headers.ts";

/** A message whose headers are bytes already, or absent. */
interface Encoded extends OutgoingMessage {
  readonly headers: Uint8Array | undefined;
}

/** What became of messages that are stored as one. */
export type BatchOutcome =
  | { readonly kind: "stored"; readonly lastSequence: number }
  /** One of them has an id that the stream knows already. Nothing was stored. */
  | { readonly kind: "duplicate" }
  /** Nobody took the last message: its subject is no stream's. Nothing was stored. */
  | { readonly kind: "unheard" }
  /** The stream takes no batches, or not the first message of this one. Nothing was stored. */
  | { readonly kind: "closed" };

const CONTAINS_DUPLICATE = 10201;
/** Batches are disabled; the first message is missing; not all of them came. */
const NO_BATCH: ReadonlySet<number> = new Set([10174, 10175, 10176]);
/** A batch is abandoned by the server when it was left alone for ten seconds. */
const ANSWER_MS = 5_000;

/**
 * Sends messages that the server stores all together or not at all (NATS 2.12).
 *
 * @throws MillraceError `conflict` where an expected sequence did not fit, `queue-full` …: nothing
 *   was stored; `publish-timeout`: all or nothing
 */
export async function publishBatch(
  nc: NatsConnection,
  messages: readonly Encoded[],
): Promise<BatchOutcome> {
  const id = randomBytes(12).toString("hex");
  let reply: Msg | undefined;
  try {
    for (const [index, message] of messages.entries()) {
      const last = index === messages.length - 1;
      const headers = batchHeaders(message.headers, id, index + 1, last);
      if (last)
        reply = await nc.request(message.subject, message.data, { headers, timeout: ANSWER_MS });
      else nc.publish(message.subject, message.data, { headers });
    }
  } catch (error) {
    if (isUnheard(error)) return { kind: "unheard" };
    throw afterSending(error);
  }
  if (reply === undefined) throw new TypeError("A batch holds at least one message.");
  return outcomeOf(reply, messages.at(-1)?.subject ?? "");
}

function outcomeOf(reply: Msg, subject: string): BatchOutcome {
  const meaning = judgePubAck(reply, subject, 1);
  if (meaning instanceof MillraceError) {
    const code = refusalCode(meaning);
    if (code === CONTAINS_DUPLICATE) return { kind: "duplicate" };
    if (code !== undefined && NO_BATCH.has(code)) return { kind: "closed" };
    throw meaning;
  }
  if (typeof meaning === "symbol")
    throw new MillraceError(
      "broker-unavailable",
      `The server could not store the messages for ${subject} at the moment. Try again.`,
    );
  return { kind: "stored", lastSequence: meaning.sequence };
}

/** JetStream's own code, where the error is a refusal. */
export function refusalCode({ cause }: MillraceError): number | undefined {
  return cause instanceof JetStreamRefusal ? cause.errCode : undefined;
}

/** The server may have the last message: whether it is stored is not known. */
function afterSending(error: unknown): MillraceError {
  const known = asMillraceError(error, "store jobs together");
  const isDeaf = deniedPart(error) === "answer";
  if (!isDeaf && known.code !== "request-timeout" && known.code !== "jetstream-failed")
    return known;
  const why = isDeaf ? " The NATS user may not subscribe to its inbox, where answers go." : "";
  return new MillraceError(
    "publish-timeout",
    `No confirmation came for jobs that are stored together: all of them may be stored, or none.${why}`,
    { cause: error },
  );
}

const END = Buffer.from("\r\n");

/** The message's own headers with those of the batch behind them. */
function batchHeaders(own: Uint8Array | undefined, id: string, sequence: number, commit: boolean) {
  const batch = encodeHeaders({
    "Nats-Batch-Id": id,
    "Nats-Batch-Sequence": String(sequence),
    ...(commit ? { "Nats-Batch-Commit": "1" } : {}),
  });
  if (own === undefined) return rawHeaders(batch);
  const withoutEnd = own.subarray(0, own.length - END.length);
  return rawHeaders(Buffer.concat([withoutEnd, batch.subarray(PREAMBLE)]));
}

const PREAMBLE = "NATS/1.0\r\n".length;
