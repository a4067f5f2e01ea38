import { setTimeout as pause } from "node:timers/promises";
import type { Broker } from "@millrace/core";
import type { SimulatedClock } from "../simulated-clock.ts";

/** What a broker that is put to the test can do beyond the least. */
export interface BrokerCapabilities {
  /** Whether several connections can share one server. */
  readonly severalConnections: boolean;
  /**
   * Whether a lock of a connection that works a queue is extended without its holder
   * (`LockStore.keep`). Default: no.
   */
  readonly keepsLocks?: boolean;
  /** Whether the harness has `connectDeaf`. Default: no. */
  readonly goesDeaf?: boolean;
}

/** A connection whose answers can be lost. */
export interface DeafConnection {
  readonly broker: Broker;
  /** From now on what it asks of its locks is done, and no answer comes. */
  deafen(): void;
  /** Answers come again. */
  hear(): void;
}

/**
 * Waits for a check to give something other than undefined or false. Rejects at a deadline, naming
 * what was missing.
 */
export type Eventually = <T>(
  what: string,
  check: () => Wanted<T> | Promise<Wanted<T>>,
) => Promise<T>;
type Wanted<T> = T | undefined | false;

/**
 * What the suite needs of whoever runs it. One harness serves any number of cases, also at the same
 * time.
 */
export interface ConformanceHarness {
  readonly broker: Broker;
  readonly capabilities: BrokerCapabilities;
  /**
   * One more connection to the same server and namespace, as another node has one. The suite closes
   * it.
   */
  connect(): Promise<Broker>;
  /** Such a connection. The suite closes it. */
  connectDeaf?(): Promise<DeafConnection>;
  /** The lease of the suite's workers and locks. Short: several cases wait for one to run out. */
  readonly leaseMs: number;
  /**
   * Whether the broker's server is a cluster whose leaders are killed while the suite runs. An
   * election takes seconds and delivers what it interrupted later or once more, so cases then ask
   * for the same jobs instead of an order, and for what is there in the end instead of at once.
   * Default: no.
   */
  readonly leadersDie?: boolean;
  /** The wall clock, epoch milliseconds. */
  now(): number;
  /** A queue name that nothing else uses. The suite creates the queue and removes it. */
  queueName(): string;
  readonly eventually: Eventually;
}

/** Looks again every few milliseconds, for brokers that are real. */
export function eventuallyInRealTime(deadlineMs: number): Eventually {
  return async (what, check) => {
    const until = performance.now() + deadlineMs;
    for (;;) {
      const found = await check();
      if (found !== undefined && found !== false) return found;
      if (performance.now() > until) throw new Error(`Not within ${deadlineMs} ms: ${what}.`);
      await pause(5);
    }
  };
}

/**
 * Moves the clock in small steps, for brokers that live on it. Cases must then run one after the
 * other.
 */
export function eventuallyOn(clock: SimulatedClock, deadlineMs: number): Eventually {
  return async (what, check) => {
    const until = clock.monotonic() + deadlineMs;
    for (;;) {
      await clock.advance(0);
      const found = await check();
      if (found !== undefined && found !== false) return found;
      if (clock.monotonic() > until) throw new Error(`Not within ${deadlineMs} ms: ${what}.`);
      await clock.advance(10);
    }
  };
}
