import {
  type Broker,
  type Clock,
  isQueueName,
  type Logger,
  type Mark,
  type MetricsCollector,
  MillraceError,
  recordError,
} from "@millrace/core";
import type { Claim, ClaimLimits, OutboxStore, SetAside } from "../store/outbox-store.ts";
import { type QueueStore, tellingStore } from "../store/telling-store.ts";
import { Drains } from "./drains.ts";
import { isLine } from "../rows/message-row.ts";
import { publishClaim } from "./publish-claim.ts";
import { hasNotices, publishMessages } from "./publish-messages.ts";

export interface QueueRelayOptions {
  readonly broker: Broker;
  readonly store: OutboxStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MetricsCollector;
  readonly limits: ClaimLimits;
  /** Told that another round has something to do: work ended for which the last did not wait. */
  readonly onLate?: () => void;
}

/** A queue whose rows could not be published. */
interface Trouble {
  readonly message: string;
  readonly failures: number;
  /** `Clock.monotonic()`. */
  readonly againAt: number;
}

/** When this relay first asked for a claim and got it. */
interface MetClaim {
  readonly id: string;
  /** `Clock.monotonic()`. */
  readonly at: number;
}

/** What became of a claim. */
interface Relayed {
  readonly rows: number;
  /** The others were set aside. */
  readonly published: number;
}

/** Of what was not enqueued, in a line of the log. */
const SHOWN_IDS = 10;
/** In a round, so that a long backlog of one queue does not keep a new one waiting. */
const CLAIMS_A_ROUND = 20;
/** The same where claims take long. */
const TURN_MS = 1_000;
/** After that people are told of a queue on which work gets on with nothing. */
const STUCK_MS = 60_000;
const RETRY_MS = 1_000;
const MOST_RETRY_MS = 10_000;
/** The first node of a queue makes it, and a deployment may start its nodes last. */
const MISSING_MS = 3_600_000;
/** Another relay that sends messages to listeners is left alone for so long. */
const SENDING_MS = 10_000;

/**
 * Publishes the rows of each queue, in their order. A queue that fails holds up no other, nor does
 * one of which the server, or the database, says nothing for long.
 */
export class QueueRelay {
  readonly #options: Omit<QueueRelayOptions, "store"> & { readonly store: QueueStore };
  readonly #drains: Drains;
  readonly #markNames = new Map<string, string>();
  /** The mark of each queue, where it was this relay that stored it last, as far as it knows. */
  readonly #stored = new Map<string, Mark>();
  readonly #troubles = new Map<string, Trouble>();
  /** Since when a queue (or a batch's callback queue) is missing; `Clock.monotonic()`. */
  readonly #missingSince = new Map<string, number>();
  /** The last claim of each line of messages that this relay has made. */
  readonly #own = new Map<string, string>();
  /** The last claim of each queue that this relay has met. */
  readonly #met = new Map<string, MetClaim>();
  /** The queue that had rows last. It is looked at without being asked for. */
  #lately: string | undefined;

  constructor(options: QueueRelayOptions) {
    this.#options = { ...options, store: tellingStore(options.store) };
    this.#drains = new Drains(options.clock, options.onLate ?? (() => {}));
  }

  /**
   * Publishes what there is. A queue that takes long is left to go on beside the next rounds, and
   * what comes of it counts for them.
   *
   * @returns how many rows were taken from the outbox since the last round
   * @throws MillraceError `outbox-failed`
   */
  async round(isStopped: () => boolean): Promise<number> {
    const likely = this.#lately;
    if (likely !== undefined) this.#begin(likely, isStopped);
    const [listed] = await Promise.allSettled([this.#beginOthers(likely, isStopped)]);
    const [moved] = await Promise.allSettled([this.#drains.round()]);
    valueOf(listed);
    return valueOf(moved);
  }

  /** Waits until nothing that rounds have begun is under way. */
  ended(): Promise<void> {
    return this.#drains.ended();
  }

  async #beginOthers(likely: string | undefined, isStopped: () => boolean): Promise<void> {
    const troubles = new Map(this.#troubles);
    const queues = await this.#options.store.queues();
    await this.#forget(troubles, queues);
    // Their rows are gone, by whichever relay.
    for (const queue of this.#met.keys()) if (!queues.includes(queue)) this.#met.delete(queue);
    for (const queue of queues) if (queue !== likely) this.#begin(queue, isStopped);
  }

  #begin(queue: string, isStopped: () => boolean): void {
    this.#drains.begin(queue, (onStep) => this.#drain(queue, isStopped, onStep));
  }

  /**
   * Rows that waited were published by another relay, or taken away.
   *
   * @param troubles as they were before it was asked which queues have rows
   */
  async #forget(troubles: ReadonlyMap<string, Trouble>, queues: readonly string[]): Promise<void> {
    for (const [queue, trouble] of troubles) {
      if (this.#troubles.get(queue) !== trouble || queues.includes(queue)) continue;
      this.#troubles.delete(queue);
      this.#missingSince.delete(queue);
      await this.#options.store.note(queue, undefined);
    }
  }

  /** Queues whose rows could not be published at the last try, or are not yet, and why. */
  waiting(): readonly { readonly queue: string; readonly reason: string }[] {
    const stuck = this.#drains.stuck(STUCK_MS).filter(({ queue }) => !this.#troubles.has(queue));
    return [
      ...[...this.#troubles].map(([queue, { message }]) => ({ queue, reason: message })),
      ...stuck.map(({ queue, forMs }) => ({
        queue,
        reason: `The relay has been at work on its rows for ${Math.round(forMs / 1_000)} s.`,
      })),
    ];
  }

  async #drain(queue: string, isStopped: () => boolean, onStep: () => void): Promise<number> {
    const { clock } = this.#options;
    const trouble = this.#troubles.get(queue);
    const begunAt = clock.monotonic();
    if (trouble !== undefined && trouble.againAt > begunAt) return 0;
    const isOver = (claims: number): boolean =>
      claims >= CLAIMS_A_ROUND || clock.monotonic() - begunAt >= TURN_MS || isStopped();
    let [moved, published] = [0, 0];
    try {
      for (let claims = 0; !isOver(claims); claims += 1) {
        const relayed = await this.#relayClaim(queue);
        if (relayed === undefined) break;
        moved += relayed.rows;
        published += relayed.published;
        this.#lately = queue;
        onStep();
      }
    } catch (error) {
      await this.#note(queue, error, trouble?.failures ?? 0);
      return moved;
    }
    if (published > 0 && trouble !== undefined) {
      this.#troubles.delete(queue);
      await this.#options.store.note(queue, undefined);
      this.#options.logger.info({ queue }, "the outbox's jobs can be published again");
    }
    return moved;
  }

  /**
   * Read the mark before the claim. A claim that is read later than the mark was not published
   * before it. The other way round, a claim that others finished meanwhile would look unpublished.
   * A mark that this relay stored itself is as good as one that it reads: if another relay has
   * published the claim since, the mark has changed, and the publish is refused. For a claim that
   * others have made, the mark is read, because they may have published it already.
   *
   * @returns undefined where there are no rows
   */
  async #relayClaim(queue: string): Promise<Relayed | undefined> {
    const { broker, store, clock, limits, metrics } = this.#options;
    const name = await this.#markName(queue);
    const isQueue = isQueueName(queue);
    for (;;) {
      const stored = this.#stored.get(queue);
      const seen = isQueue ? (stored ?? (await this.#readMark(queue, name))) : undefined;
      const askedAt = clock.monotonic();
      const claim = await store.claim(queue, limits);
      if (claim === undefined) return undefined;
      const ageMs = this.#ageOf(queue, claim, askedAt);
      if (this.#isOthers(queue, claim, ageMs())) return undefined;
      // Until this claim's is stored: whatever goes wrong, it is read.
      this.#stored.delete(queue);
      if (stored !== undefined && !claim.isNew) continue;
      const kept: string[] = [];
      try {
        const setAside: readonly SetAside[] = isLine(queue)
          ? await publishMessages(broker, store, queue, claim)
          : !isQueue
            ? ofNoQueue(queue, claim)
            : await publishClaim(broker, store, queue, claim, {
                ...{ name, seen },
                onStored: (mark) => this.#stored.set(queue, mark),
                givesUp: this.#isMissingForLong(queue),
                onKept: (ids) => kept.push(...ids),
                ageMs,
              });
        for (const { seq, reason, detail } of setAside)
          this.#options.logger.warn(
            { queue, seq, reason, detail },
            "a row of the outbox can't be published, and was set aside",
          );
        await store.finish(queue, claim, setAside);
        this.#met.delete(queue);
        const published = claim.rows.length - setAside.length;
        metrics.increment("millrace_outbox_published_total", { queue }, published - kept.length);
        this.#tellKept(queue, kept);
        if (published > 0) this.#missingSince.delete(queue);
        return { rows: claim.rows.length, published };
      } catch (error) {
        // Another relay was first.
        if (!MillraceError.is(error, "conflict")) throw error;
      }
    }
  }

  #tellKept(queue: string, ids: readonly string[]): void {
    if (ids.length === 0) return;
    const { logger, metrics } = this.#options;
    metrics.increment("millrace_outbox_kept_out_total", { queue }, ids.length);
    logger.info(
      { queue, rows: ids.length, ids: ids.slice(0, SHOWN_IDS) },
      "rows of the outbox were not enqueued: their jobs were there before, or their batch was over",
    );
  }

  #isMissingForLong(queue: string): boolean {
    const since = this.#missingSince.get(queue);
    return since !== undefined && this.#options.clock.monotonic() - since >= MISSING_MS;
  }

  /** A queue that is missing has no mark. One that is made meanwhile has none either. */
  async #readMark(queue: string, name: string): Promise<Mark | undefined> {
    try {
      const mark = await this.#options.broker.marks?.read(queue, name);
      if (mark !== undefined) this.#missingSince.delete(queue);
      return mark;
    } catch (error) {
      if (MillraceError.is(error, "queue-not-found")) return undefined;
      throw error;
    }
  }

  /**
   * Of a claim, now, at any time. It is as old as the database says, or as this relay knows itself:
   * the database's clock may have been set back.
   */
  #ageOf(queue: string, { id, ageMs }: Claim, askedAt: number): () => number {
    const known = this.#met.get(queue);
    const met = known?.id === id ? known : { id, at: askedAt };
    this.#met.set(queue, met);
    const { clock } = this.#options;
    return () => Math.max(ageMs + clock.monotonic() - askedAt, clock.monotonic() - met.at);
  }

  /**
   * Jobs, and messages that are stored, may be published by two relays at once: they are there
   * once. Listeners would hear each message twice.
   */
  #isOthers(queue: string, claim: Claim, ageMs: number): boolean {
    if (!isLine(queue)) return false;
    if (claim.isNew) this.#own.set(queue, claim.id);
    if (!hasNotices(claim)) return false;
    return this.#own.get(queue) !== claim.id && ageMs < SENDING_MS;
  }

  async #markName(queue: string): Promise<string> {
    const name = this.#markNames.get(queue) ?? (await this.#options.store.mark(queue));
    this.#markNames.set(queue, name);
    return name;
  }

  /**
   * Only this queue's rows wait, also where the database refuses what is asked about it alone, or
   * where this code fails: else one row would hold up all queues.
   *
   * @throws the error, where the database takes no note of it either: then it is away
   */
  async #note(queue: string, error: unknown, failures: number): Promise<void> {
    const { clock, store, logger } = this.#options;
    const isOfServer = MillraceError.is(error) && error.code !== "outbox-failed";
    const message = messageOf(error);
    const isKnown = this.#troubles.get(queue)?.message === message;
    if (!isOfServer) await this.#noteOrThrow(queue, error);
    const waitMs = Math.min(RETRY_MS * 2 ** failures, MOST_RETRY_MS);
    const againAt = clock.monotonic() + waitMs;
    if (!MillraceError.is(error, "queue-not-found")) this.#missingSince.delete(queue);
    else if (!this.#missingSince.has(queue)) this.#missingSince.set(queue, clock.monotonic());
    this.#troubles.set(queue, { message, failures: failures + 1, againAt });
    if (!isKnown)
      logger.warn(
        { queue, error: recordError(error) },
        "the outbox's jobs can't be published, and wait",
      );
    // Known or not: what another relay publishes meanwhile ends the trouble that is stored.
    if (isOfServer) await store.note(queue, noteOf(error));
  }

  async #noteOrThrow(queue: string, error: unknown): Promise<void> {
    try {
      await this.#options.store.note(queue, noteOf(error));
    } catch {
      throw error;
    }
  }
}

/** No queue will ever be there for them. */
function ofNoQueue(queue: string, { rows }: Claim): readonly SetAside[] {
  const detail = `No queue can be called ${JSON.stringify(queue)}: its name is made of up to 64 of A-Z a-z 0-9 _ -.`;
  return rows.map(({ seq }) => ({ seq, reason: "invalid-name", detail }));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function noteOf(error: unknown): string {
  const kind = MillraceError.is(error) ? error.code : error instanceof Error ? error.name : "Error";
  return `${kind}: ${messageOf(error)}`;
}

/** @throws what it was rejected with */
function valueOf<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === "rejected") throw settled.reason;
  return settled.value;
}
