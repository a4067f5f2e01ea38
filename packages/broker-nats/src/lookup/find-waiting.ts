import { type FindOptions, isLookedFor, requirePlace, type WaitingJob } from "@millrace/core";
import type { NatsBlocked } from "../store/nats-blocked.ts";
import { request } from "../jetstream-errors.ts";
import { nextMessage } from "../reads/next-message.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { queueStreams } from "../store/queue-streams.ts";
import { endsOf, isThere, scan, type StreamEnds } from "../reads/scan.ts";
import { delayedJob, fromLeader, queuedJob, type StoredMessage } from "../reads/stored-message.ts";

/**
 * Where a stream is read message by message, so many parts are searched side by side: each step
 * waits for the server's answer.
 */
const PARTS = 16;
/** Where it is read in batches, one part can be on its way while the other is looked at. */
const BATCHED_PARTS = 2;

/**
 * Looks among the delayed jobs by subject, through those that are blocked, then through the queues.
 * Holds a batch, or a message, of each part at a time.
 */
export async function findWaiting(
  server: ServerAccess,
  blocked: NatsBlocked,
  id: string,
  options: FindOptions,
): Promise<WaitingJob | undefined> {
  const { queue, place } = options;
  requirePlace({ ...options, id });
  options.signal?.throwIfAborted();
  return request(`look for the job ${id}`, async () => {
    const atPlace =
      place === undefined || queue === undefined
        ? undefined
        : await findAt(server, { stream: server.names.queueStream(queue), place, id });
    if (atPlace !== undefined && isLookedFor(atPlace, options)) return atPlace;
    const delayed = await findDelayed(server, id, options);
    if (delayed !== undefined || options.only === "delayed") return delayed;
    const waiting = await blocked.find(id, options);
    if (waiting !== undefined) {
      const { envelope, storedAt, gate } = waiting;
      return { envelope, state: "blocked", storedAt, gate };
    }
    if (place !== undefined) return undefined;
    for (const stream of queue === undefined
      ? await queueStreams(server)
      : [server.names.queueStream(queue)]) {
      const queued = await findQueued(server, { stream, id, options });
      if (queued !== undefined) return queued;
    }
    return undefined;
  });
}

async function findDelayed(
  server: ServerAccess,
  id: string,
  options: FindOptions,
): Promise<WaitingJob | undefined> {
  const { names } = server;
  const { queue = "*" } = options;
  for (const subject of [names.delayed(queue, id, "*"), names.due(queue, id, "*")])
    for (let from = 1; ;) {
      const stored = await nextMessage(server.jsm, names.delayedStream, from, subject);
      if (stored === undefined) break;
      const { read, message } = delayedJob(server, fromLeader(stored)) ?? {};
      if (read?.ok === true && message !== undefined) {
        const { envelope } = read;
        const found = { envelope, state: "delayed", storedAt: message.storedAt } as const;
        if (isLookedFor(found, options)) return found;
      }
      from = stored.seq + 1;
    }
  return undefined;
}

async function findQueued(
  server: ServerAccess,
  { stream, id, options }: { stream: string; id: string; options: FindOptions },
): Promise<WaitingJob | undefined> {
  const { storedBefore = Number.POSITIVE_INFINITY, signal } = options;
  const ends = await endsOf(server, stream);
  if (ends === undefined || ends.last < ends.first || ends.firstAt >= storedBefore)
    return undefined;
  const known = (await findByPlace(server, ends, id)) ?? (await findByKey(server, ends, id));
  if (known !== undefined && isLookedFor(known, options)) return known;
  let found: WaitingJob | undefined;
  const parts = ends.batches ? BATCHED_PARTS : PARTS;
  const length = Math.ceil((ends.last - ends.first + 1) / parts);
  const idBytes = Buffer.from(id);
  const search = async (from: number): Promise<void> => {
    const until = Math.min(from + length - 1, ends.last);
    for await (const messages of scan(server, { ends, from, until })) {
      if (found !== undefined) return;
      signal?.throwIfAborted();
      for (const stored of messages) {
        // What comes behind it in this part came later still.
        if (stored.storedAt >= storedBefore) return;
        const job = match(server, stored, id, idBytes);
        if (job === undefined || !isLookedFor(job, options)) continue;
        if (await isThere(server, ends, stored)) found ??= job;
      }
    }
  };
  await Promise.all(
    Array.from({ length: parts }, (_, part) => ends.first + part * length)
      .filter((from) => from <= ends.last)
      .map(search),
  );
  return found;
}

/** A job without an id of its own goes by its place, which stands nowhere in its message. */
async function findByPlace(
  server: ServerAccess,
  { stream, last }: StreamEnds,
  id: string,
): Promise<WaitingJob | undefined> {
  const sequence = Number(/-(\d{1,16})$/.exec(id)?.[1] ?? 0);
  if (sequence < 1 || sequence > last) return undefined;
  return findAt(server, { stream, place: sequence, id });
}

async function findAt(
  server: ServerAccess,
  { stream, place, id }: { stream: string; place: number; id: string },
): Promise<WaitingJob | undefined> {
  const found = await nextMessage(server.jsm, stream, place);
  if (found?.seq !== place) return undefined;
  const stored = fromLeader(found);
  const job = queuedJob(server, stored);
  return job?.read.ok === true && job.read.envelope.id === id
    ? { envelope: job.read.envelope, state: "queued", storedAt: stored.storedAt }
    : undefined;
}

/** One whose id was given may lie on a subject of its own. */
async function findByKey(
  server: ServerAccess,
  { stream }: StreamEnds,
  id: string,
): Promise<WaitingJob | undefined> {
  const found = await nextMessage(server.jsm, stream, 1, server.names.keyedInAnyLane("*", id));
  return found === undefined ? undefined : match(server, fromLeader(found), id, Buffer.from(id));
}

/** Decodes only what shows the id somewhere. */
function match(
  server: ServerAccess,
  stored: StoredMessage,
  id: string,
  idBytes: Buffer,
): WaitingJob | undefined {
  if (!stored.shows(idBytes)) return undefined;
  const job = queuedJob(server, stored);
  return job?.read.ok === true && job.read.envelope.id === id
    ? { envelope: job.read.envelope, state: "queued", storedAt: stored.storedAt }
    : undefined;
}
