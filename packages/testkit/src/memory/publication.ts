import {
  AS_IT_IS,
  type Broker,
  CALLER_HEADER,
  callerOf,
  type EncodeRules,
  type EnqueueResult,
  type Envelope,
  envelopeOfUnreadable,
  isKeyed,
  messageIdOf,
  MillraceError,
  needsProgramDoor,
  type QueueMessage,
  readEnvelope,
  tooFarAhead,
  type WaitingJob,
  writeEnvelope,
  writeFittingEnvelope,
} from "@millrace/core";

/** Headers count as they do on a wire: name, value and their separators. */
export function sizeOf({ body, headers }: Pick<QueueMessage, "body" | "headers">): number {
  let bytes = body.length;
  for (const [key, value] of Object.entries(headers))
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value) + 4;
  return bytes;
}

/** What is published: a message but for what the queue itself gives it. */
export interface NewMessage extends Omit<QueueMessage, "queue" | "sequence" | "storedAt"> {
  readonly messageId: string;
  /** Of a job that follows another, when that one succeeded: two of one id are two jobs. */
  readonly followsAt?: number;
  /** It is the runtime's: a producer's of its id is another job. */
  readonly own?: true;
}

type Limits = Pick<Broker, "maxDelayMs" | "maxValues" | "maxMessageBytes">;

/**
 * An envelope as a producer publishes it.
 *
 * @param now epoch milliseconds
 * @throws MillraceError where it can't be sent
 */
export function enqueueOf(
  job: Envelope,
  now: number,
  { maxDelayMs, maxValues, maxMessageBytes }: Limits,
  own = false,
): NewMessage {
  const isNew = job.generation === 0;
  const far = isNew ? tooFarAhead(job.notBefore, now, maxDelayMs) : undefined;
  if (far !== undefined) throw new MillraceError("invalid-option", `The job ${job.id}: ${far}.`);
  const publication = publicationOf(
    job,
    own || needsProgramDoor(job) ? "program" : "producer",
    writeEnvelope(job, "msgpack", { maxValues, exact: isNew, wellFormed: isNew }),
  );
  const bytes = sizeOf(publication);
  if (bytes <= maxMessageBytes) return own ? { ...publication, own } : publication;
  throw new MillraceError(
    "payload-too-large",
    `The job takes ${bytes} bytes and the broker lets ${maxMessageBytes} through. Send a reference to the data instead of the data.`,
  );
}

/** The same, where the job's id is a key: only such a one is known by it while it waits. */
export function keyedOf(
  job: Envelope,
  publication: NewMessage,
  keys: ReadonlySet<string> | undefined,
): NewMessage {
  const isKey = publication.origin === "producer" && isKeyed(job, keys);
  return isKey ? { ...publication, key: job.id } : publication;
}

/**
 * A requeue carries what settlement counted, and so may be this much larger than what was enqueued.
 */
const REQUEUE_GROWTH_BYTES = 1_024;

/** What follows a job has its result for a payload, which nobody has read from a message yet. */
export const FOLLOWING_RULES: EncodeRules = { ...AS_IT_IS, wellFormed: true };

/**
 * An envelope as the runtime republishes it.
 *
 * @param rules what it may hold; left out for one that was read before
 * @throws MillraceError `payload-too-large` where it does not fit even without its errors;
 *   `unserializable-payload`
 */
export function requeueOf(
  envelope: Envelope,
  maxMessageBytes: number,
  rules: EncodeRules = AS_IT_IS,
): NewMessage {
  const headerBytes = sizeOf(ownPublication(envelope, new Uint8Array()));
  const limit = maxMessageBytes + REQUEUE_GROWTH_BYTES - headerBytes;
  const publication = ownPublication(envelope, writeFittingEnvelope(envelope, limit, rules));
  const { generation, unkeyed } = envelope;
  return generation > 0 || unkeyed === undefined
    ? publication
    : { ...publication, followsAt: unkeyed };
}

/** Its id names its enqueue: another job may have the id once the queue has forgotten it. */
function ownPublication(envelope: Envelope, body: Uint8Array): NewMessage {
  const publication = publicationOf(envelope, "runtime", body);
  const { firstStoredAt, unkeyed } = envelope;
  if (firstStoredAt === undefined) return publication;
  const place = unkeyed === undefined ? "" : `@${unkeyed}`;
  const messageId = `${publication.messageId}/${firstStoredAt}${place}`;
  return {
    ...publication,
    messageId,
    headers: { ...publication.headers, "nats-msg-id": messageId },
  };
}

export function publicationOf(
  envelope: Envelope,
  origin: QueueMessage["origin"],
  body: Uint8Array,
): NewMessage {
  const messageId = messageIdOf(envelope);
  const caller = callerOf(envelope);
  return {
    messageId,
    origin,
    body,
    headers: {
      ...envelope.headers,
      "content-type": "application/msgpack",
      "nats-msg-id": messageId,
      ...(caller === undefined ? {} : { [CALLER_HEADER.toLowerCase()]: caller }),
    },
    ...(envelope.lane === undefined ? {} : { lane: envelope.lane }),
  };
}

/** The job of a stored message, if it is the one that is looked for. */
export function waitingJob(
  message: QueueMessage,
  id: string,
  state: WaitingJob["state"],
): WaitingJob | undefined {
  const read = readEnvelope(message);
  return read.ok && read.envelope.id === id
    ? { envelope: read.envelope, state, storedAt: message.storedAt }
    : undefined;
}

/** The job of a stored message, whatever it is. */
export function anyWaitingJob(message: QueueMessage, state: WaitingJob["state"]): WaitingJob {
  const read = readEnvelope(message);
  return {
    envelope: read.ok ? read.envelope : envelopeOfUnreadable(message, read),
    state,
    storedAt: message.storedAt,
  };
}

/** What is said of a job that nothing may be sent for any more. */
export function toldToStop({ id, queue }: Envelope): EnqueueResult {
  const words = "Told to stop before the message was sent: it is not stored.";
  return { ok: false, id, queue, error: new MillraceError("publish-timeout", words) };
}
