import { type AnyJob, type Clock, defineJob, type JobOptions, UNSETTLED } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/core/testing";
import { expect, onTestFinished } from "vitest";
import { createNode, type MillraceNode } from "../node/node.ts";
import type { NodeOptions } from "../node/node-options.ts";
import { stopInTime } from "../fixtures/simulated-node.ts";

export const QUEUE = "work";

export interface Payload {
  readonly tenant: string;
  readonly ms?: number;
}

/** Who ran when, and how many of a tenant at once. */
export class Ledger {
  readonly starts: {
    readonly id: string;
    readonly tenant: string;
    readonly atMs: number;
    readonly token: number;
  }[] = [];
  readonly ended: string[] = [];
  readonly aborted: string[] = [];
  readonly #alive = new Map<string, number>();
  most = 0;

  begin(id: string, tenant: string, atMs: number, token: number): void {
    this.starts.push({ id, tenant, atMs, token });
    const alive = (this.#alive.get(tenant) ?? 0) + 1;
    this.#alive.set(tenant, alive);
    this.most = Math.max(this.most, alive);
  }

  end(id: string, tenant: string): void {
    this.ended.push(id);
    this.#alive.set(tenant, (this.#alive.get(tenant) ?? 0) - 1);
  }
}

/** A job that takes as long as its payload says, of the simulated clock. */
export function tenantJob(
  clock: SimulatedClock,
  ledger: Ledger,
  options: Partial<JobOptions<Payload, Payload, void>>,
): AnyJob {
  return defineJob<Payload, Payload, void>({ name: "t", queue: QUEUE, ...options }).handler(
    async ({ job, input, token, signal }) => {
      const { tenant, ms = 100 } = input;
      ledger.begin(job.id, tenant, clock.now(), token);
      try {
        await new Promise<void>((resolve, reject) => {
          const timer = clock.setTimer(ms, resolve);
          signal.addEventListener("abort", () => {
            timer.cancel();
            ledger.aborted.push(job.id);
            reject(signal.reason as Error);
          });
        });
      } finally {
        ledger.end(job.id, tenant);
      }
    },
  );
}

export interface Fleet {
  readonly clock: SimulatedClock;
  readonly server: MemoryServer;
  readonly ledger: Ledger;
  readonly brokers: readonly MemoryBroker[];
  readonly nodes: readonly MillraceNode[];
  /** For producers and for looking. */
  readonly outside: MemoryBroker;
  enqueue(ids: readonly string[], payload: unknown, fields?: object): Promise<void>;
}

/** Nodes on one memory server, each with a broker of its own. */
export async function fleet(
  count: number,
  options: Partial<JobOptions<Payload, Payload, void>>,
  nodeOptions: Partial<NodeOptions> = {},
  skewsMs: readonly number[] = [],
): Promise<Fleet> {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const ledger = new Ledger();
  const outside = new MemoryBroker({ clock, server });
  const brokers = Array.from({ length: count }, () => new MemoryBroker({ clock, server }));
  const nodes = brokers.map((broker, index) => {
    const jobs = [tenantJob(clock, ledger, options)];
    return createNode({
      broker,
      clock: skewed(clock, skewsMs[index] ?? 0),
      jobs,
      name: `n${index}`,
      random: () => 0.5,
      ...nodeOptions,
    });
  });
  for (const node of nodes) onTestFinished(() => stopInTime(node, clock));
  await Promise.all(nodes.map((node) => node.start()));
  return {
    clock,
    server,
    ledger,
    brokers,
    nodes,
    outside,
    enqueue: async (ids, payload, fields = {}) => {
      const results = await outside.enqueue(
        ids.map((id) => ({
          ...UNSETTLED,
          id,
          name: "t",
          queue: QUEUE,
          payload,
          createdAt: clock.now(),
          headers: {},
          ...fields,
        })),
      );
      expect(results.every(({ ok }) => ok)).toBe(true);
    },
  };
}

/** A node's own clock that shows another time of day. */
function skewed(clock: SimulatedClock, ms: number): Clock {
  return {
    now: () => clock.now() + ms,
    monotonic: () => clock.monotonic(),
    setTimer: (delayMs, fire) => clock.setTimer(delayMs, fire),
  };
}

export const ids = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);
