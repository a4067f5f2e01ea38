import type { Envelope } from "@millrace/core";
import type { ServerAccess } from "../store/server-access.ts";
import { endsOf, scan } from "../reads/scan.ts";
import { queuedJob, type StoredMessage } from "../reads/stored-message.ts";

/**
 * Of so many retries in a queue the first are looked at: a look must not take longer than the run
 * that it may save.
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
  /** Messages from here on. */
  readonly from: number;
  readonly found: Envelope[];
}

interface Round {
  readonly asks: Ask[];
  readonly done: Promise<void>;
}

/**
 * Finds later generations of jobs in their queues. They lie on the runtime's subjects, which few
 * jobs of a queue do, so those are read and nothing else. After a crash a node asks this for each
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

  /** @param after the place of the message whose successors are looked for */
  async of({ id, queue, generation }: Envelope, after: number): Promise<readonly Envelope[]> {
    const ask: Ask = { id, generation, from: after + 1, found: [] };
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
    if (ends === undefined) return;
    const byId = Map.groupBy(asks, ({ id }) => id);
    const from = asks.reduce((least, ask) => Math.min(least, ask.from), ends.last + 1);
    let read = 0;
    for await (const messages of scan(this.#server, {
      ends,
      from: Math.max(from, ends.first),
      until: ends.last,
      subject: names.requeueAll,
    })) {
      for (const stored of messages) this.#note(stored, byId);
      if ((read += messages.length) >= MOST) return;
    }
  }

  #note(stored: StoredMessage, byId: ReadonlyMap<string, readonly Ask[]>): void {
    const [, id = "", generation] = MESSAGE_ID.exec(stored.headers["nats-msg-id"] ?? "") ?? [];
    const asks = byId
      .get(id)
      ?.filter((ask) => stored.sequence >= ask.from && Number(generation) > ask.generation);
    if (asks === undefined || asks.length === 0) return;
    const job = queuedJob(this.#server, stored);
    if (job?.read.ok === true) for (const { found } of asks) found.push(job.read.envelope);
  }
}
