import {
  type BlockedGate,
  type Broker,
  type Clock,
  type Logger,
  recordError,
  someAtATime,
  type Stoppable,
  type Timer,
} from "@millrace/core";
import type { HeldLease } from "../lock/lock-request.ts";
import { takeLock } from "../lock/take-lock.ts";
import { permitLocks, RATES_BUCKET, readGate } from "./gate-names.ts";
import { type Rate, rateInForce, roomWithinHorizon } from "./key/gcra.ts";
import { limitInHolder } from "./key/permit.ts";
import { rateDocument, readRateState } from "./key/rate-reserver.ts";
import { ServerClock } from "../clock/server-clock.ts";

export interface SweeperOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  readonly node: string;
  /** What limits a queue's keys, as far as this node knows. */
  readonly keyRulesOf: (queue: string) => KeyRules;
}

/** An operator's limit, or those of the queue's definitions. */
export interface KeyRules {
  /** Whether this node runs the queue's jobs: else it does not know their definitions. */
  readonly isServed: boolean;
  /** Most permits of a key. */
  readonly concurrency: number | undefined;
  readonly rates: readonly Rate[];
}

/** The locks that are held: by name up to the last `/`, by what follows, and by whom. */
type Held = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** While nothing is blocked, as far as this node knows. */
const IDLE_PERIOD_MS = 5_000;
/**
 * Together with the lease less than five seconds: whoever follows a sweeper that was killed sweeps
 * within them.
 */
const PERIOD_MS = 1_500;
const LEADER_LOCK = "leader/sweeper";
/**
 * Short, because it costs nothing while nothing is blocked, and two that sweep at once do no harm.
 */
const LEADER_LEASE_MS = 3_000;
/** Gates that are looked at side by side. */
const AT_A_TIME = 16;
/** Where nothing limits a key any more, so many jobs are let in at once. */
const UNLIMITED = 1_000;
/**
 * Where somebody holds a permit of it, or a rate is remembered: of before, or by another version's
 * nodes, which know of a limit and send the jobs back.
 */
const PERHAPS_UNLIMITED = 100;

/**
 * The last net: lets blocked jobs in where there is room and nobody left to see it, because a
 * holder was killed, a wake-up was lost, a rate has time again. One node sweeps for all, and the
 * others wait to follow it; where it dies, one of them does so when its short lease is over. With
 * nothing blocked nobody leads, and it costs each node one question in five seconds.
 */
export class Sweeper implements Stoppable {
  readonly #options: SweeperOptions;
  readonly #serverClock: ServerClock;
  #timer: Timer | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  /** Ends the waiting to follow another sweeper. */
  readonly #stopping = new AbortController();
  #lease: HeldLease | undefined;
  #stopped = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.#serverClock = new ServerClock(options.broker, options.clock);
    this.#arm(IDLE_PERIOD_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#stopping.abort(new Error("the node stops"));
    await this.#sweeping;
    await this.#lease?.release();
  }

  #arm(afterMs: number): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimer(afterMs, () => {
      this.#sweeping = this.#round().then((nextMs) => this.#arm(nextMs));
    });
  }

  /** Never rejects. @returns when to look again */
  async #round(): Promise<number> {
    try {
      return await this.#sweep();
    } catch (error) {
      if (!this.#stopped)
        this.#options.log.debug({ error: recordError(error) }, "blocked jobs could not be swept");
      return PERIOD_MS;
    }
  }

  async #sweep(): Promise<number> {
    const { blocked } = this.#options.broker;
    if ((await blocked.count()) === 0) {
      await this.#lease?.release();
      this.#lease = undefined;
      return IDLE_PERIOD_MS;
    }
    // A node that waited to follow has waited enough.
    if (!(await this.#leads())) return 0;
    const gates = await blocked.gates();
    const held = await this.#held();
    const tend = async (shared: readonly BlockedGate[]): Promise<void> => {
      for (const gate of this.#inAnyOrder(shared))
        if (!this.#mayGoOn || (await this.#tend(gate, held)) > 0) return;
    };
    await someAtATime(byLock(gates), tend, AT_A_TIME);
    return PERIOD_MS;
  }

  /** Another queue's turn each time: where one has many that wait, others would never have it. */
  #inAnyOrder(shared: readonly BlockedGate[]): readonly BlockedGate[] {
    const from = Math.floor(this.#options.random() * shared.length);
    return [...shared.slice(from), ...shared.slice(0, from)];
  }

  /**
   * All locks by one question: a gate has up to a thousand permits, and there may be thousands of
   * gates. What comes free or is taken meanwhile is seen in the next round.
   */
  async #held(): Promise<Held> {
    const held = new Map<string, Map<string, string>>();
    for (const { name, holder } of await this.#options.broker.locks.list()) {
      const [group, own] = split(name);
      const others = held.get(group) ?? new Map<string, string>();
      held.set(group, others.set(own, holder));
    }
    return held;
  }

  get #mayGoOn(): boolean {
    return !this.#stopped && this.#lease?.isHeld() === true;
  }

  async #leads(): Promise<boolean> {
    if (this.#lease?.isHeld() === true) return true;
    const { broker, clock, log, node, random } = this.#options;
    this.#lease = await takeLock(
      { locks: broker.locks, clock, log: unalarmed(log), random },
      {
        name: LEADER_LOCK,
        holder: node,
        leaseMs: LEADER_LEASE_MS,
        waitMs: IDLE_PERIOD_MS,
        signal: this.#stopping.signal,
      },
    );
    return this.#lease !== undefined;
  }

  /** @returns how many were let in */
  async #tend({ queue, gate, count }: BlockedGate, held: Held): Promise<number> {
    const { broker, log } = this.#options;
    try {
      const room = Math.min(count, await this.#roomAt(gate, held));
      if (room > 0 && this.#mayGoOn) return await broker.blocked.release(queue, gate, room);
    } catch (error) {
      log.debug({ queue, gate, error: recordError(error) }, "a gate could not be swept");
    }
    return 0;
  }

  #roomAt(gate: string, held: Held): number | Promise<number> {
    const kind = readGate(gate);
    switch (kind?.kind) {
      case "singleton":
        return isHeld(kind.lock, held) ? 0 : 1;
      case "cap":
        return this.#freePermits(kind.queue, kind.key, held);
      case "rate":
        return this.#startsLeft(kind.queue, kind.key);
      case undefined:
        // Of a newer version's making; its own nodes look after it.
        return 0;
    }
  }

  #freePermits(queue: string, key: string, held: Held): number {
    const { concurrency, isServed } = this.#options.keyRulesOf(queue);
    const permits = [...(held.get(permitLocks(queue, key)) ?? [])];
    // Each permit says how many there are.
    const seen = permits.flatMap(([, holder]) => limitInHolder(holder) ?? []);
    if (concurrency === undefined && isServed)
      return seen.length === 0 ? UNLIMITED : PERHAPS_UNLIMITED;
    const limit = concurrency ?? Math.max(1, ...seen);
    return limit - permits.filter(([index]) => Number(index) < limit).length;
  }

  async #startsLeft(queue: string, key: string): Promise<number> {
    const documents = await this.#options.broker.documents(RATES_BUCKET);
    const state = readRateState((await documents.get(rateDocument(queue, key)))?.value);
    const { rates, isServed } = this.#options.keyRulesOf(queue);
    if (rates.length === 0 && isServed) return state === undefined ? UNLIMITED : PERHAPS_UNLIMITED;
    // Nothing is remembered: whoever comes first writes it.
    if (state === undefined) return 1;
    return roomWithinHorizon(state, rateInForce(state, rates), await this.#serverClock.now());
  }
}

/** A singleton that several queues share has a gate in each, and lets in one job in all. */
function byLock(gates: readonly BlockedGate[]): readonly (readonly BlockedGate[])[] {
  return [...Map.groupBy(gates, ({ gate }) => gate).values()];
}

/** @returns what a name begins with, up to its last `/`, and the rest */
function split(name: string): [string, string] {
  const at = name.lastIndexOf("/") + 1;
  return [name.slice(0, at), name.slice(at)];
}

function isHeld(name: string, held: Held): boolean {
  const [group, own] = split(name);
  return held.get(group)?.has(own) === true;
}

/** A node that waits to follow a sweeper asks again soon, and others report an outage. */
function unalarmed(log: Logger): Logger {
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.debug(fields, message),
    error: (fields, message) => log.error(fields, message),
    child: (fields) => unalarmed(log.child(fields)),
  };
}
