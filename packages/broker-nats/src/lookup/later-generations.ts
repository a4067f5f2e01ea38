import { CLOCK_SLACK_MS, type Envelope, type QueueMessage } from "@millrace/core";
import { runtimeEnvelope } from "../messages/runtime-envelope.ts";
import { nextMessage } from "../reads/next-message.ts";
import { endsOf, scan, type StreamEnds } from "../reads/scan.ts";
import { queuedJob, type StoredMessage } from "../reads/stored-message.ts";
import type { ServerAccess } from "../store/server-access.ts";

/**
 * Of so many retries in a queue, or jobs at its gates, the first are looked at: a look must not
 * take longer than the run that it may save.
 */
const MOST = 50_000;

/**
 * A generation's message id. The queue stands before it where its job was blocked at a gate; where
 * the id was taken, the place of what has it stands behind, or something random.
 */
const MESSAGE_ID = /(?:^|\/)millrace\/([^/]+)\/(\d+)(?:\/[\w-]+)*$/;

interface Ask {
  readonly id: string;
  readonly generation: number;
  /** What was stored before this message does not follow it. */
  readonly message: Pick<QueueMessage, "sequence" | "storedAt">;
  readonly found: Envelope[];
}

/** Where later generations of a queue's jobs lie. */
interface Place {
  readonly stream: string;
  readonly subject: string;
  readonly from: (ends: StreamEnds, asks: readonly Ask[]) => Promise<number> | number;
  readonly read: (stored: StoredMessage) => Envelope | undefined;
}

/** What went back to its queue. */
export function inQueue(server: ServerAccess): (queue: string) => Place {
  const { names } = server;
  return (queue) => ({
    stream: names.queueStream(queue),
    subject: names.requeueAll,
    from: (ends, asks) =>
      asks.reduce((least, { message }) => Math.min(least, message.sequence + 1), ends.last + 1),
    read: (stored) => {
      const read = queuedJob(server, stored)?.read;
      return read?.ok === true ? read.envelope : undefined;
    },
  });
}

/** What waits at gates, all of them of all queues in one stream. */
export function atGates(server: ServerAccess): (queue: string) => Place {
  const { names, maxValues } = server;
  return (queue) => ({
    stream: names.blockedStream,
    subject: names.blocked(queue, "*"),
    from: (ends, asks) => {
      const since = Math.min(...asks.map(({ message }) => message.storedAt));
      return firstSince(server, ends, since - CLOCK_SLACK_MS);
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
  readonly #server: ServerAccess;
  readonly #placeOf: (queue: string) => Place;
  /** By queue: the reading to come. */
  readonly #next = new Map<string, Round>();
  /** By queue: the last one that began. */
  readonly #current = new Map<string, Promise<void>>();

  constructor(server: ServerAccess, placeOf: (queue: string) => Place) {
    this.#server = server;
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
    const { subject } = place;
    const ends = await endsOf(this.#server, place.stream);
    if (ends === undefined || ends.messages === 0) return;
    const byId = Map.groupBy(asks, ({ id }) => id);
    const from = Math.max(await place.from(ends, asks), ends.first);
    let read = 0;
    for await (const messages of scan(this.#server, { ends, from, until: ends.last, subject })) {
      for (const stored of messages) note(stored, byId, place);
      if ((read += messages.length) >= MOST) return;
    }
  }
}

function note(
  stored: StoredMessage,
  byId: ReadonlyMap<string, readonly Ask[]>,
  { read }: Place,
): void {
  const [, id = "", generation] = MESSAGE_ID.exec(stored.headers["nats-msg-id"] ?? "") ?? [];
  const asks = byId.get(id)?.filter((ask) => Number(generation) > ask.generation);
  if (asks === undefined || asks.length === 0) return;
  const job = read(stored);
  if (job !== undefined) for (const { found } of asks) found.push(job);
}
