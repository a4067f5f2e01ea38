import { CLOCK_SLACK_MS, type Envelope, type QueueMessage } from "@millrace/core";
import { runtimeEnvelope } from "../messages/runtime-envelope.ts";
import { nextMessage } from "../reads/next-message.ts";
import { readStream, type StreamMessage } from "../reads/read-stream.ts";
import { endsOf, scan, type StreamEnds } from "../reads/scan.ts";
import { queuedJob } from "../reads/stored-message.ts";
import type { ServerAccess } from "../store/server-access.ts";

/**
 * Of so many retries in a queue, or jobs at its gates, the first are looked at: a look must not
 * take longer than the run that it may save.
 */
const MOST = 50_000;

/**
 * A generation's message id, without the queue, which stands before it where its job was blocked at
 * a gate. Where the id was taken, the place of what has it stands behind, or something random.
 */
const MESSAGE_ID = /^millrace\/([^/]+)\/(\d+)(?:\/[\w-]+)*$/;

interface Ask {
  readonly id: string;
  readonly generation: number;
  /** What was stored before this message does not follow it. */
  readonly message: Pick<QueueMessage, "sequence" | "storedAt">;
  readonly found: Envelope[];
}

/** Where later generations of a queue's jobs lie. */
interface Place {
  /** What may be one, the first `MOST` of them or a few more. */
  readonly messages: (asks: readonly Ask[]) => AsyncIterable<StreamMessage>;
  readonly read: (stored: StreamMessage) => Envelope | undefined;
}

/** What went back to its queue. */
export function inQueue(server: ServerAccess): (queue: string) => Place {
  const { names } = server;
  return (queue) => ({
    messages: async function* (asks) {
      const ends = await endsOf(server, names.queueStream(queue));
      if (ends === undefined || ends.messages === 0) return;
      const least = Math.min(...asks.map(({ message }) => message.sequence + 1));
      const from = Math.max(least, ends.first);
      let read = 0;
      const range = { ends, from, until: ends.last, subject: names.requeueAll };
      for await (const messages of scan(server, range)) {
        yield* messages;
        if ((read += messages.length) >= MOST) return;
      }
    },
    read: (stored) => {
      const read = queuedJob(server, stored)?.read;
      return read?.ok === true ? read.envelope : undefined;
    },
  });
}

/**
 * What waits at gates, all of them of all queues in one stream. It takes no direct reads, so
 * consumers read it, in batches on every server.
 */
export function atGates(server: ServerAccess): (queue: string) => Place {
  const { nc, jsm, names, maxValues } = server;
  return (queue) => ({
    messages: async function* (asks) {
      const ends = await endsOf(server, names.blockedStream);
      if (ends === undefined || ends.messages === 0) return;
      const since = Math.min(...asks.map(({ message }) => message.storedAt));
      const from = await firstSince(server, ends, since - CLOCK_SLACK_MS);
      const filter = names.blocked(queue, "*");
      yield* readStream(nc, jsm, { stream: ends.stream, filter, from, limit: MOST });
    },
    read: ({ data: body, headers }) => runtimeEnvelope({ queue, body, headers }, maxValues),
  });
}

/** Of a shorter stream all is read: to look where to begin would take as long. */
const SHORT = 1_000;

/** By halves: one read for each doubling of the stream. */
async function firstSince(
  { jsm }: ServerAccess,
  { stream, first, last, messages }: StreamEnds,
  since: number,
): Promise<number> {
  if (messages <= SHORT) return first;
  let [low, high] = [first, last];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const stored = await nextMessage(jsm, stream, middle, ">");
    if (stored !== undefined && stored.time.getTime() < since)
      low = Math.max(middle, stored.seq) + 1;
    else high = middle;
  }
  return low;
}

interface Round {
  readonly asks: Ask[];
  readonly done: Promise<void>;
}

/**
 * Finds later generations of jobs in their queues, or at gates. In a queue they lie on the
 * runtime's subjects, which few of its jobs do, so those are read and nothing else. After a crash a
 * node asks this for each job that comes again, all at the same time: who asks while the queue is
 * read waits for the next reading, which is for all of them.
 *
 * Their subjects say no id, and shall not: older nodes set consumers' filters back
 * (docs/decisions/settlement.md).
 */
export class LaterGenerations {
  readonly #placeOf: (queue: string) => Place;
  /** By queue: the reading to come. */
  readonly #next = new Map<string, Round>();
  /** By queue: the last one that began. */
  readonly #current = new Map<string, Promise<void>>();

  constructor(placeOf: (queue: string) => Place) {
    this.#placeOf = placeOf;
  }

  /** @param message whose successors are looked for */
  async of(
    { id, queue, generation }: Envelope,
    message: Ask["message"],
  ): Promise<readonly Envelope[]> {
    const ask: Ask = { id, generation, message, found: [] };
    const round = this.#next.get(queue) ?? this.#plan(queue);
    round.asks.push(ask);
    await round.done;
    return ask.found;
  }

  #plan(queue: string): Round {
    const asks: Ask[] = [];
    const begin = async (): Promise<void> => {
      // Whoever asks from now on may have to see what this reading has passed by.
      this.#next.delete(queue);
      await this.#read(queue, asks);
    };
    const before = this.#current.get(queue) ?? Promise.resolve();
    const done = before.then(begin, begin);
    this.#next.set(queue, { asks, done });
    this.#current.set(queue, done);
    const forget = (): void => {
      if (this.#current.get(queue) === done) this.#current.delete(queue);
    };
    done.then(forget, forget);
    return { asks, done };
  }

  async #read(queue: string, asks: readonly Ask[]): Promise<void> {
    const place = this.#placeOf(queue);
    const byId = Map.groupBy(asks, ({ id }) => id);
    for await (const stored of place.messages(asks)) {
      const known = messageIds(queue, stored).flatMap((messageId) => asksFor(messageId, byId));
      const job = known.length === 0 ? undefined : place.read(stored);
      if (job === undefined) continue;
      for (const { id, generation, found } of known)
        if (job.id === id && job.generation > generation) found.push(job);
    }
  }
}

/** With and without the queue: where that is called `millrace`, both may say an id. */
function messageIds(queue: string, { headers }: StreamMessage): readonly string[] {
  const messageId = headers["nats-msg-id"] ?? "";
  const before = `${queue}/`;
  return messageId.startsWith(before) ? [messageId, messageId.slice(before.length)] : [messageId];
}

function asksFor(messageId: string, byId: ReadonlyMap<string, readonly Ask[]>): readonly Ask[] {
  const [, id = "", generation] = MESSAGE_ID.exec(messageId) ?? [];
  return byId.get(id)?.filter((ask) => Number(generation) > ask.generation) ?? [];
}
