import {
  type Broker,
  type Clock,
  CLOCK_SLACK_MS,
  defined,
  type Envelope,
  type FirstMessage,
  isSameEnqueue,
  MillraceError,
  NO_MEMORY,
  type WaitingJob,
} from "@millrace/core";

/** What a message or a record says of the life that it is of. */
type LifeSign = Pick<Envelope, "generation"> & FirstMessage & { readonly createdAt?: number };

/**
 * Whether the life that a retry would begin has begun. First where it waits or runs, then in the
 * history: what is settled is on record before it leaves its queue.
 */
export async function livesAgain(broker: Broker, revived: Envelope): Promise<boolean> {
  return (await waitingLife(broker, revived)) !== undefined || lifeOnRecord(broker, revived);
}

/** The waiting job of that life, or of one after it. Slow on a long queue. */
export async function waitingLife(
  broker: Broker,
  revived: Envelope,
): Promise<Envelope | undefined> {
  const { id, queue } = revived;
  const where = ({ envelope }: WaitingJob): boolean => isOfLife(envelope, revived);
  return (await broker.findWaiting(id, { queue, where }))?.envelope;
}

/** Whether anything is on record of that life, or of one after it. */
async function lifeOnRecord(broker: Broker, revived: Envelope): Promise<boolean> {
  return (await onRecord(broker, revived)) === "begun";
}

/**
 * Why a letter's job is given no other life. `begun`: it has it already. `ended-well`: another run
 * of the life that the letter is of has ended otherwise, and that end counts.
 */
export type NoOtherLife = "begun" | "ended-well";

/** What the history knows of that. */
export async function onRecord(
  broker: Broker,
  revived: Envelope,
): Promise<NoOtherLife | undefined> {
  const { id, queue, life = 1 } = revived;
  const records = await broker.history.read({ id, queue });
  if (records.some((record) => isOfLife(record, revived))) return "begun";
  const last = records.findLast(
    (record) => (record.life ?? 0) === life - 1 && isOfEnqueue(record, revived),
  );
  return last?.state === "succeeded" || last?.state === "cancelled" ? "ended-well" : undefined;
}

/**
 * Another job of the id, enqueued later, begins its lives with the same generations. A life has its
 * letter's first message: today's window, which may be another than at the enqueue, says nothing.
 */
function isOfLife(sign: LifeSign, revived: Envelope): boolean {
  return sign.generation >= revived.generation && isOfEnqueue(sign, revived);
}

function isOfEnqueue(sign: LifeSign, revived: Envelope): boolean {
  const isSame = isSameEnqueue(sign, revived, NO_MEMORY);
  return isSame ?? (sign.createdAt ?? revived.createdAt) === revived.createdAt;
}

async function windowOf({ queues }: Broker, queue: string): Promise<number> {
  try {
    return (await queues.settings(queue)).dedupeWindowMs ?? 0;
  } catch (error) {
    if (MillraceError.is(error, "queue-not-found")) return 0;
    throw error;
  }
}

const STRETCH = 500;

/** What a queue held of lives that retries have begun. */
interface Held {
  readonly windowMs: number;
  readonly lives: Map<string, LifeSign[]>;
  /** Of the queue's positions. */
  until: number;
  untilMono: number;
}

/**
 * The same for many letters. A queue itself refuses what it remembers; so it is read for what is
 * older alone, from front to back and once: after that only what has become so old since.
 */
export class BegunLives {
  readonly #broker: Broker;
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();

  constructor(broker: Broker, clock: Clock) {
    this.#broker = broker;
    this.#clock = clock;
  }

  /** Asks the server for the job's records; for its queue twice a minute. */
  async noOther(revived: Envelope): Promise<NoOtherLife | undefined> {
    const { id, queue, notBefore } = revived;
    const { lives } = await this.#upToDate(queue);
    const isSign = (sign: LifeSign): boolean => isOfLife(sign, revived);
    if (lives.get(id)?.some(isSign) === true) return "begun";
    // What waits for its time has a record, unless it has waited from the start of this life.
    if (notBefore !== undefined) {
      const where = ({ envelope }: WaitingJob): boolean => isSign(envelope);
      const delayed = await this.#broker.findWaiting(id, { queue, storedBefore: 0, where });
      if (delayed !== undefined) return "begun";
    }
    return onRecord(this.#broker, revived);
  }

  async #upToDate(queue: string): Promise<Held> {
    const known = this.#held.get(queue);
    const mono = this.#clock.monotonic();
    if (known !== undefined && mono < known.untilMono) return known;
    const windowMs = known?.windowMs ?? (await windowOf(this.#broker, queue));
    const held = known ?? { windowMs, lives: new Map(), until: 0, untilMono: 0 };
    this.#held.set(queue, held);
    const forgotten = (await this.#broker.serverNow()) - Math.max(0, windowMs - CLOCK_SLACK_MS);
    await this.#read(queue, held, forgotten);
    // What was not old enough by then is remembered for so long, at the least.
    held.untilMono = mono + Math.min(windowMs, CLOCK_SLACK_MS) / 2;
    return held;
  }

  async #read(queue: string, held: Held, before: number): Promise<void> {
    for (;;) {
      const stretch = await this.#stretch(queue, held.until);
      if (stretch === undefined) return;
      for (const { envelope, position, storedAt } of stretch.jobs) {
        if (storedAt >= before) return;
        held.until = position;
        const { id, generation, createdAt, firstStoredAt, unkeyed, life = 0 } = envelope;
        if (life === 0) continue;
        const sign: LifeSign = {
          ...{ generation, createdAt },
          ...defined({ firstStoredAt, unkeyed }),
        };
        held.lives.set(id, [...(held.lives.get(id) ?? []), sign]);
      }
      if (stretch.until >= stretch.newest) return;
      held.until = stretch.until;
    }
  }

  /** @returns undefined where the queue is gone */
  async #stretch(
    queue: string,
    after: number,
  ): Promise<Awaited<ReturnType<Broker["arrivals"]["stretch"]>> | undefined> {
    try {
      return await this.#broker.arrivals.stretch(queue, { after, limit: STRETCH });
    } catch (error) {
      if (MillraceError.is(error, "queue-not-found")) return undefined;
      throw error;
    }
  }
}
