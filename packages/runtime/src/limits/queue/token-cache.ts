import {
  type Broker,
  type Clock,
  dealTokens,
  type Logger,
  MillraceError,
  type RateLimit,
  readBucket,
  recordError,
  type Timer,
} from "@millrace/core";
import { ServerClock } from "../../clock/server-clock.ts";
import { RATES_BUCKET } from "../gate-names.ts";

export interface TokenCacheOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly log: Logger;
  readonly queue: string;
  /** Unique in the fleet. */
  readonly holder: string;
  readonly rate: RateLimit;
  /** There are more tokens than before. */
  readonly onGain: () => void;
}

export function rateKey(queue: string): string {
  return `queue.${queue}`;
}

/**
 * A node that finds the bucket empty waits for this much of the rate to come in, or for one token.
 */
const BATCH_MS = 100;
/** At most so much of a rate lies in one node's hands. */
const MOST_MS = 500;
/** Tokens of a node that says nothing more count as gone after this, by the bucket's clock … */
const HOLD_MS = 10_000;
/** … and by the node's own a little sooner. */
const USABLE_MS = 8_000;
/** An idle node says so often that it still has its tokens. */
const RENEW_MS = 5_000;
/** All is in the hands of others, who use it or give it back. */
const CROWDED_MS = 1_000;
const RETRY_MS = 1_000;
const DOUBTFUL_MS = 5_000;
const FRESH_MS = 1_000;
const ROUNDS = 20;

/**
 * One node's tokens of a queue's rate, taken from the bucket that all nodes share in small batches:
 * twice as many as it used of the last batch, so that an idle node holds one and a busy one what
 * lasts until it is served again.
 *
 * Between two deals it rests, waits for the bucket to fill, or is `dealing`.
 */
export class TokenCache {
  readonly #options: TokenCacheOptions;
  readonly #serverClock: ServerClock;
  #rate: RateLimit;
  #tokens = 0;
  /** By the monotonic clock. */
  #usableUntil = 0;
  #state: "resting" | "waiting" | "dealing" | "closed" = "resting";
  #timer: Timer | undefined;
  /** Since the last deal began. */
  #used = 0;
  #wished = 0;

  constructor(options: TokenCacheOptions) {
    this.#options = options;
    this.#rate = options.rate;
    this.#serverClock = new ServerClock(options.broker, options.clock);
  }

  get rate(): RateLimit {
    return this.#rate;
  }

  /** Counts from now on: what waits for the bucket to fill asks anew. */
  set rate(rate: RateLimit) {
    if (rate.limit === this.#rate.limit && rate.perMs === this.#rate.perMs) return;
    this.#rate = rate;
    this.#tokens = Math.min(this.#tokens, this.#most());
    if (this.#state !== "waiting") return;
    this.#rest();
    this.seek();
  }

  /** How many jobs may be pulled now. */
  get tokens(): number {
    if (this.#tokens > 0 && this.#options.clock.monotonic() >= this.#usableUntil) this.#tokens = 0;
    return this.#tokens;
  }

  /** For a job that arrived. @returns false where there is no token for it */
  take(): boolean {
    if (this.tokens < 1) return false;
    this.#tokens -= 1;
    this.#used += 1;
    return true;
  }

  /** For a job that arrived and did not run after all. */
  putBack(): void {
    if (this.#options.clock.monotonic() < this.#usableUntil) this.#tokens += 1;
  }

  /** Asks for more where there are none; once there are, it is told by `onGain`. */
  seek(): void {
    if (this.tokens > 0 || this.#state === "waiting") return;
    void this.#deal(() => Math.min(this.#most(), Math.max(1, 2 * this.#used)));
  }

  /** Keeps one token. Nothing may be on its way to the others any more. */
  async shrink(): Promise<void> {
    if (this.tokens > 1) await this.#deal(() => 1);
  }

  async close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#timer?.cancel();
    const idle = this.#state !== "dealing";
    const left = this.tokens;
    this.#tokens = 0;
    this.#state = "closed";
    // While it is dealing it gives back when that is done.
    if (idle && left > 0) await this.#settle(left, 0);
  }

  /** One at a time. Never rejects. */
  async #deal(wanted: () => number): Promise<void> {
    if (this.#state === "dealing" || this.#state === "closed") return;
    this.#timer?.cancel();
    this.#state = "dealing";
    const { clock } = this.#options;
    const unused = this.tokens;
    const want = wanted();
    const usedBefore = this.#used;
    const askedAt = clock.monotonic();
    this.#wished = want;
    const deal = await this.#settle(unused, want);
    if (this.#isClosed()) {
      if (deal !== undefined && deal.granted > 0) await this.#settle(deal.granted, 0);
      return;
    }
    this.#rest();
    if (deal === undefined) return this.#wait(RETRY_MS);
    const usedMeanwhile = this.#used - usedBefore;
    this.#used = usedMeanwhile;
    const before = this.#tokens;
    this.#tokens = Math.max(0, deal.granted - usedMeanwhile);
    this.#usableUntil = askedAt + USABLE_MS;
    if (deal.granted === 0) return this.#wait(this.#patience(deal.moreInMs));
    this.#timer = clock.setTimer(RENEW_MS, () => void this.#deal(() => Math.max(1, this.#tokens)));
    if (this.#tokens > before) this.#options.onGain();
  }

  #patience(moreInMs: number | undefined): number {
    if (moreInMs === undefined) return CROWDED_MS;
    return Math.min(moreInMs, Math.max(BATCH_MS, this.#rate.perMs / this.#rate.limit));
  }

  #wait(ms: number): void {
    this.#state = "waiting";
    this.#timer = this.#options.clock.setTimer(ms, () => {
      this.#rest();
      void this.#deal(() => Math.min(this.#most(), Math.max(1, this.#wished)));
    });
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#state = "resting";
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  #most(): number {
    return Math.max(1, Math.ceil((this.#rate.limit * MOST_MS) / this.#rate.perMs));
  }

  /**
   * The bucket's time. Where it is far from the last deal the queue was quiet, or the server's
   * clock was set, or another server leads now: nodes that went by different words of the server
   * would each see much time pass, and give out a burst each.
   */
  async #nowBeside(bucket: unknown): Promise<number> {
    const now = await this.#serverClock.now();
    const { at } = readBucket(bucket, this.#rate, now);
    return Math.abs(now - at) > DOUBTFUL_MS ? this.#serverClock.now(FRESH_MS) : now;
  }

  /** @returns undefined where the bucket could not be reached */
  async #settle(
    unused: number,
    want: number,
  ): Promise<{ readonly granted: number; readonly moreInMs: number | undefined } | undefined> {
    const { broker, queue, holder, log } = this.#options;
    const key = rateKey(queue);
    try {
      const store = await broker.documents(RATES_BUCKET);
      for (let round = 1; ; round += 1) {
        const document = await store.get(key);
        const now = await this.#nowBeside(document?.value);
        const deal = dealTokens(readBucket(document?.value, this.#rate, now), {
          rate: this.#rate,
          holder,
          unused,
          want,
          now,
          holdMs: HOLD_MS,
        });
        // Nothing given and nothing taken is nothing to write down.
        if (deal.granted === 0 && unused === 0 && document !== undefined) return deal;
        try {
          // Not to be seen and yet there, again and again: something that is no document.
          const absent = round > 3 ? undefined : 0;
          await store.put(key, deal.bucket, document?.revision ?? absent);
          return deal;
        } catch (error) {
          if (!MillraceError.is(error, "revision-conflict") || round === ROUNDS) throw error;
        }
      }
    } catch (error) {
      log.warn(
        { queue, error: recordError(error) },
        "tokens of a queue's rate could not be had; trying again",
      );
      return undefined;
    }
  }
}
