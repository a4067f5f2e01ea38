import {
  type QueueMessage,
  readEnvelope,
  requireId,
  requireQueueName,
  type WaitingJob,
} from "@millrace/core";
import type { StoredMsg } from "@nats-io/jetstream";
import { readDelayedHeaders } from "../delayed/delayed-headers.ts";
import { apiCode, request, STREAM_NOT_FOUND } from "../jetstream-errors.ts";
import { headersOf, nextMessage } from "../store/next-message.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { plainBytes } from "../wire/plain-bytes.ts";

/** Parts of a stream that are searched side by side: each step waits for the server's answer. */
const PARTS = 16;

/** Looks among the delayed jobs by subject, then through the queues message by message. Holds one message a part at a time. */
export async function findWaiting(
  server: ServerAccess,
  id: string,
  queue?: string,
): Promise<WaitingJob | undefined> {
  requireId(id);
  if (queue !== undefined) requireQueueName(queue);
  return request(`look for the job ${id}`, async () => {
    const delayed = await findDelayed(server, id, queue ?? "*");
    if (delayed !== undefined) return delayed;
    for (const stream of queue === undefined
      ? await queueStreams(server)
      : [server.names.queueStream(queue)]) {
      const queued = await findQueued(server, stream, id);
      if (queued !== undefined) return queued;
    }
    return undefined;
  });
}

async function findDelayed(
  server: ServerAccess,
  id: string,
  queue: string,
): Promise<WaitingJob | undefined> {
  const { names } = server;
  for (const subject of [names.delayed(queue, id, "*"), names.due(queue, id, "*")]) {
    const stored = await nextMessage(server.jsm, names.delayedStream, 1, subject);
    if (stored === undefined) continue;
    const headers = headersOf(stored);
    const job = readDelayedHeaders(headers);
    if (job === undefined) continue;
    const message: QueueMessage = {
      queue: job.queue,
      ...(job.lane === undefined ? {} : { lane: job.lane }),
      origin: "runtime",
      body: plainBytes(stored.data),
      headers,
      sequence: stored.seq,
      storedAt: stored.time.getTime(),
    };
    const read = readEnvelope(message);
    if (read.ok) return { envelope: read.envelope, state: "delayed", storedAt: message.storedAt };
  }
  return undefined;
}

async function queueStreams({ jsm, names }: ServerAccess): Promise<string[]> {
  const streams: string[] = [];
  for await (const name of jsm.streams.names(names.requeueAll))
    if (name.startsWith(names.queueStreamPrefix)) streams.push(name);
  return streams;
}

async function findQueued(
  server: ServerAccess,
  stream: string,
  id: string,
): Promise<WaitingJob | undefined> {
  const ends = await endsOf(server, stream);
  if (ends === undefined) return undefined;
  let found: WaitingJob | undefined;
  const length = Math.ceil((ends.last - ends.first + 1) / PARTS);
  const idBytes = Buffer.from(id);
  const search = async (from: number, until: number): Promise<void> => {
    for (let at = from; at <= until && found === undefined;) {
      const stored = await nextMessage(server.jsm, stream, at, ">");
      if (stored === undefined || stored.seq > until) return;
      found ??= match(server, stored, id, idBytes);
      at = stored.seq + 1;
    }
  };
  const parts = Array.from({ length: PARTS }, (_, part) => ends.first + part * length).filter(
    (from) => from <= ends.last,
  );
  await Promise.all(parts.map((from) => search(from, Math.min(from + length - 1, ends.last))));
  return found;
}

/** Decodes only what shows the id somewhere: in its headers, its bytes, or its place. */
function match(
  { names }: ServerAccess,
  stored: StoredMsg,
  id: string,
  idBytes: Buffer,
): WaitingJob | undefined {
  const subject = names.readQueueSubject(stored.subject);
  if (subject === undefined) return undefined;
  const { queue, lane, origin } = subject;
  const headers = headersOf(stored);
  const shown =
    headers["nats-msg-id"]?.includes(id) === true ||
    `${queue}-${stored.seq}` === id ||
    Buffer.from(stored.data).includes(idBytes);
  if (!shown) return undefined;
  const storedAt = stored.time.getTime();
  const read = readEnvelope({
    queue,
    ...(lane === undefined ? {} : { lane }),
    origin,
    body: plainBytes(stored.data),
    headers,
    sequence: stored.seq,
    storedAt,
  });
  return read.ok && read.envelope.id === id
    ? { envelope: read.envelope, state: "queued", storedAt }
    : undefined;
}

async function endsOf(
  { jsm }: ServerAccess,
  stream: string,
): Promise<{ first: number; last: number } | undefined> {
  try {
    const { state } = await jsm.streams.info(stream);
    return state.messages === 0 ? undefined : { first: state.first_seq, last: state.last_seq };
  } catch (error) {
    if (apiCode(error) === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}
