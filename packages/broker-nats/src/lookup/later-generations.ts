import { type Envelope, generationsIn, type IdGeneration, type QueueMessage } from "@millrace/core";
import { endsOf, scan } from "../reads/scan.ts";
import { queuedJob } from "../reads/stored-message.ts";
import type { ServerAccess } from "../store/server-access.ts";

/**
 * How many retries of a queue are looked at: a look must not take longer than the run that it may
 * save.
 */
const MOST = 50_000;

interface Ask {
  readonly id: string;
  readonly generation: number;
  /** What was stored before this message does not follow it. */
  readonly message: Pick<QueueMessage, "sequence" | "storedAt">;
  readonly found: Envelope[];
}

interface Round {
  readonly asks: Ask[];
  readonly done: Promise<void>;
}

/**
 * Finds later generations of jobs in their queues. They lie on the runtime's subjects, which few of
 * a queue's jobs do, so those are read and nothing else. After a crash a node asks this for each
 * job that comes again, all at the same time: who asks while the queue is read waits for the next
 * reading, which is for all of them.
 *
 * Their subjects say no id, and shall not: older nodes set consumers' filters back
 * (docs/decisions/settlement.md).
 */
export class LaterGenerations {
  readonly #server: ServerAccess;
  /** By queue: the reading to come. */
  readonly #next = new Map<string, Round>();
  /** By queue: the last one that began. */
  readonly #current = new Map<string, Promise<void>>();

  constructor(server: ServerAccess) {
    this.#server = server;
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
    const { names } = this.#server;
    const ends = await endsOf(this.#server, names.queueStream(queue));
    if (ends === undefined || ends.messages === 0) return;
    const byId = Map.groupBy(asks, ({ id }) => id);
    const least = Math.min(...asks.map(({ message }) => message.sequence + 1));
    const range = {
      ...{ ends, from: Math.max(least, ends.first), until: ends.last },
      subject: names.requeueAll,
    };
    let looked = 0;
    for await (const messages of scan(this.#server, range)) {
      for (const stored of messages) {
        const ids = generationsIn(queue, stored.headers["nats-msg-id"]);
        const known = ids.flatMap((one) => asksFor(one, byId));
        const read = known.length === 0 ? undefined : queuedJob(this.#server, stored)?.read;
        if (read?.ok !== true) continue;
        for (const { id, generation, found } of known)
          if (read.envelope.id === id && read.envelope.generation > generation)
            found.push(read.envelope);
      }
      if ((looked += messages.length) >= MOST) return;
    }
  }
}

function asksFor(
  { id, generation }: IdGeneration,
  byId: ReadonlyMap<string, readonly Ask[]>,
): readonly Ask[] {
  return byId.get(id)?.filter((ask) => generation > ask.generation) ?? [];
}
