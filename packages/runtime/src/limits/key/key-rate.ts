import type { AnyJob, Broker, Clock, DocumentStore, Envelope } from "@millrace/core";
import { type EntrantKey, hasOwnKey, keyOfPayload } from "./entrant-key.ts";
import { type Entrant, type Limit, mayBeBlockedAlready, type Entry, PASSED } from "../limit.ts";
import { rateGate, RATES_BUCKET } from "../gate-names.ts";
import type { Rate } from "./gcra.ts";
import type { LimitsOf } from "./key-limits.ts";
import type { LeaderSweep, LeaderSweepHost } from "../leader-sweep.ts";
import { RateReserver } from "./rate-reserver.ts";
import { rateSweeper } from "./rate-sweeper.ts";
import { ServerClock } from "../../clock/server-clock.ts";

/** Not worth a way through the delayed jobs. */
const AT_ONCE_MS = 20;
/**
 * A job that comes before its time, because a clock on its way was fast, waits here for so long,
 * and then goes round once more.
 */
const WAITS_HERE_MS = 1_000;

/**
 * At most so many jobs with the same key start in a period, over all nodes. A job that has to wait
 * takes its start now and comes back at that time, when it is let through by it; one whose start
 * would be more than a minute ahead is blocked, without a place.
 */
export class KeyRate implements Limit {
  readonly #broker: Broker;
  readonly #clock: Clock;
  readonly #limitsOf: LimitsOf;
  readonly #serverClock: ServerClock;
  readonly #reservers = new Map<string, RateReserver>();
  readonly #sweeper: LeaderSweep;
  #documents: Promise<DocumentStore> | undefined;

  constructor(host: LeaderSweepHost, limitsOf: LimitsOf) {
    const { broker, clock } = host;
    this.#sweeper = rateSweeper(host);
    this.#broker = broker;
    this.#clock = clock;
    this.#limitsOf = limitsOf;
    this.#serverClock = new ServerClock(broker, clock);
  }

  concerns(envelope: Envelope, job: AnyJob): boolean {
    return (
      job.rateLimit !== undefined ||
      (hasOwnKey(envelope) && this.#limitsOf(envelope.queue).keyRate !== undefined)
    );
  }

  async enter(entrant: Entrant): Promise<Entry> {
    const { envelope, job } = entrant;
    const found = rateKey(envelope, job);
    if ("refusal" in found) return found;
    const { queue } = envelope;
    const rate = this.#limitsOf(queue).keyRate ?? job.rateLimit;
    if (rate === undefined) return PASSED;
    const startMs = mayBeBlockedAlready(entrant)
      ? undefined
      : (envelope.reservedAt ?? (await this.#reserver(queue, found.key).ask(rateOf(rate))));
    if (startMs === undefined)
      return { refusal: { kind: "blocked", gate: rateGate(queue, found.key) } };
    const waitMs = startMs - (await this.#serverClock.now());
    const patienceMs = envelope.reservedAt === undefined ? AT_ONCE_MS : WAITS_HERE_MS;
    if (waitMs > 0 && (waitMs <= patienceMs || envelope.reservedAt !== undefined))
      await this.#pause(Math.min(waitMs, patienceMs));
    if (waitMs <= patienceMs) return PASSED;
    // In the server's time as well: this node's clock may be the wrong one.
    const untilMs = Math.ceil(startMs);
    return { refusal: { kind: "deferred", untilMs, reservedAt: untilMs } };
  }

  close(): Promise<void> {
    for (const reserver of this.#reservers.values()) reserver.close();
    this.#reservers.clear();
    return this.#sweeper.stop();
  }

  #reserver(queue: string, key: string): RateReserver {
    const name = `${queue} ${key}`;
    const known = this.#reservers.get(name);
    if (known !== undefined) return known;
    this.#sweeper.wake();
    const reserver = new RateReserver({
      documents: () => this.#open(),
      serverClock: this.#serverClock,
      clock: this.#clock,
      queue,
      key,
      onIdle: () => void this.#reservers.delete(name),
    });
    this.#reservers.set(name, reserver);
    return reserver;
  }

  #open(): Promise<DocumentStore> {
    this.#documents ??= this.#broker.documents(RATES_BUCKET).catch((error: unknown) => {
      // A failure is not kept: the next job tries again.
      this.#documents = undefined;
      throw error;
    });
    return this.#documents;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.setTimer(ms, resolve));
  }
}

function rateOf({ limit, perMs }: Rate): Rate {
  return { limit, perMs };
}

function rateKey(envelope: Envelope, job: AnyJob): EntrantKey {
  if (job.rateLimit !== undefined)
    return keyOfPayload(envelope, job.rateLimit.key, "rateLimit.key");
  return { key: envelope.concurrencyKey ?? "" };
}
