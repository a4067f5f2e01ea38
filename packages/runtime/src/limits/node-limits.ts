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
import type { Limit } from "./limit.ts";
import { KeyCap } from "./key/key-cap.ts";
import type { LimitsOf } from "./key/key-limits.ts";
import { KeyRate } from "./key/key-rate.ts";
import { PermitKeeper } from "./key/permit-keeper.ts";
import { SingletonLimit } from "./singleton-limit.ts";
import { type KeyRules, Sweeper } from "./blocked-sweeper.ts";

export interface NodeLimitsOptions {
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
 * The limits of a node, in the order in which a job passes them, and what has to be closed after
 * its last job.
 */
export interface NodeLimits {
  readonly limits: readonly Limit[];
  /** Repairs what crashes left at limits, until it is stopped. */
  sweep(): Promise<Stoppable>;
  /** Once no execution is left. Never rejects. */
  close(): Promise<void>;
}

/** A start is taken last: one that another limit then refuses would be lost. */
export function nodeLimits(options: NodeLimitsOptions): NodeLimits {
  const { node, broker, registry, clock, log, leaseMs, limitsOf } = options;
  const { locks, blocked } = broker;
  const keeper = new PermitKeeper({ locks, clock, log, leaseMs });
  const retries = new BackgroundRetries(clock);
  const host = { node, locks, blocked, clock, log, leaseMs, keeper, retries };
  const singletons = new SingletonLimit({
    ...host,
    metrics: options.metrics ?? noMetrics,
    sharedQueues: sharedQueues(registry),
    random: options.random,
  });
  const caps = new KeyCap(host, limitsOf);
  const rates = new KeyRate({ node, broker, clock, log }, limitsOf);
  return {
    limits: [singletons, caps, rates],
    sweep: async () =>
      new Sweeper({
        broker,
        clock,
        log,
        node,
        random: options.random,
        keyRulesOf: (queue) => keyRules(registry, limitsOf, queue),
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

function keyRules({ jobs }: Registry, limitsOf: LimitsOf, queue: string): KeyRules {
  const own = jobs.filter((job) => job.queue === queue);
  const { keyConcurrency, keyRate } = limitsOf(queue);
  const limits = own.flatMap(({ concurrency }) => concurrency?.limit ?? []);
  return {
    isServed: own.length > 0,
    concurrency: keyConcurrency ?? (limits.length === 0 ? undefined : Math.max(...limits)),
    rates: keyRate === undefined ? own.flatMap(({ rateLimit }) => rateLimit ?? []) : [keyRate],
  };
}
