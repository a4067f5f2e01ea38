import {
  type Broker,
  type Clock,
  type Logger,
  type MetricsCollector,
  noMetrics,
  type Stoppable,
} from "@millrace/core";
import type { Registry } from "../registry/registry.ts";
import { BackgroundRetries } from "../service/background-retries.ts";
import type { Gate } from "./gate.ts";
import { KeyCapGate } from "./key/key-cap-gate.ts";
import type { LimitsOf } from "./key/key-limits.ts";
import { KeyRateGate } from "./key/key-rate-gate.ts";
import { PermitKeeper } from "./key/permit-keeper.ts";
import { SingletonGate } from "./singleton-gate.ts";
import { Sweeper } from "./blocked-sweeper.ts";

export interface NodeGatesOptions {
  readonly node: string;
  readonly broker: Broker;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: MetricsCollector | undefined;
  /** Of locks and permits. */
  readonly leaseMs: number;
  readonly limitsOf: LimitsOf;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
}

/**
 * The gates of a node, in the order in which a job passes them, and what has to be closed after its
 * last job.
 */
export interface NodeGates {
  readonly gates: readonly Gate[];
  /** Repairs what crashes left at gates, until it is stopped. */
  sweep(): Promise<Stoppable>;
  /** Once no execution is left. Never rejects. */
  close(): Promise<void>;
}

/** A start is taken last: one that another gate then refuses would be lost. */
export function nodeGates(options: NodeGatesOptions): NodeGates {
  const { node, broker, registry, clock, log, leaseMs, limitsOf } = options;
  const { locks, blocked } = broker;
  const keeper = new PermitKeeper({ locks, clock, log, leaseMs });
  const retries = new BackgroundRetries(clock);
  const host = { node, locks, blocked, clock, log, leaseMs, keeper, retries };
  const singletons = new SingletonGate({
    ...host,
    metrics: options.metrics ?? noMetrics,
    sharedQueues: sharedQueues(registry),
    random: options.random,
  });
  const caps = new KeyCapGate(host, limitsOf);
  const rates = new KeyRateGate(broker, clock, limitsOf);
  return {
    gates: [singletons, caps, rates],
    sweep: async () =>
      new Sweeper({
        broker,
        clock,
        log,
        node,
        random: options.random,
        keyConcurrencyOf: (queue) =>
          limitsOf(queue).keyConcurrency ?? mostConcurrent(registry, queue),
      }),
    close: async () => {
      await Promise.all([singletons.close(), caps.close(), rates.close()]);
      keeper.close();
      retries.close();
    },
  };
}

/** A key of a definition's own may be another definition's as well, in another queue. */
function sharedQueues({ jobs }: Registry): readonly string[] {
  return [
    ...new Set(jobs.filter((job) => job.singleton?.key !== undefined).map(({ queue }) => queue)),
  ];
}

function mostConcurrent({ jobs }: Registry, queue: string): number | undefined {
  const limits = jobs
    .filter((job) => job.queue === queue)
    .flatMap(({ concurrency }) => concurrency?.limit ?? []);
  return limits.length === 0 ? undefined : Math.max(...limits);
}
