import { brokerOutlet, Producer, type RunningJob, type SecondLooks } from "@millrace/core";
import { invokedHook } from "../durable/invoked-hook.ts";
import { cancellationHook } from "../control/cancellation-hook.ts";
import { Cancellations } from "../control/cancellations.ts";
import { compose } from "../execution/attempt/compose.ts";
import { FailureLog } from "../execution/attempt/failure-log.ts";
import { runningJob } from "../execution/attempt/run-report.ts";
import { type StraySignals, strayWarnings } from "../execution/attempt/stray-signals.ts";
import type { ExecutionHost } from "../execution/execution-host.ts";
import type { ThreadContext } from "../thread/thread-context.ts";
import { RecentEnds } from "../execution/recall/recent-ends.ts";
import { Quarantine } from "../execution/recall/quarantine.ts";
import { BegunRuns } from "../execution/recall/begun-runs.ts";
import { batchHook } from "../execution/settle/batch-hook.ts";
import { watchSettlements } from "../execution/settle/trouble-log.ts";
import { secondLooks } from "../execution/settle/second-looks.ts";
import { childHook } from "../execution/steps/child-hook.ts";
import { journalHook } from "../execution/steps/journal-hook.ts";
import { signalHook } from "../execution/steps/signal-hook.ts";
import { JobLogs } from "../job-log/job-logs.ts";
import { type NodeLimits, nodeLimits } from "../limits/node-limits.ts";
import { ParkedJobs } from "../limits/parked-jobs.ts";
import { type UniqueJobs, uniqueJobs } from "../limits/unique/unique-jobs.ts";
import { refuseStaleTicks } from "../scheduler/stale-ticks.ts";
import { threadMain, ThreadPool } from "../thread/thread-pool.ts";
import { MemoryBudget } from "../worker/memory-budget.ts";
import { QueueWorker } from "../worker/queue-worker.ts";
import type { NodeBase } from "./node-base.ts";

/** What runs a node's jobs. */
export interface NodeWork {
  readonly workers: readonly QueueWorker[];
  readonly limits: NodeLimits;
  readonly unique: UniqueJobs;
  readonly threads: ThreadPool;
  readonly cancellations: Cancellations;
  readonly recentEnds: RecentEnds;
  readonly settlements: ReturnType<typeof watchSettlements>;
  readonly failures: FailureLog;
  readonly looks: SecondLooks;
  /** Whether jobs may wait for signals here. */
  readonly hasSteps: boolean;
  readonly running: () => readonly RunningJob[];
}

/** Where a queue sends on to of which nothing is said. */
const NOWHERE: readonly string[] = Object.freeze([]);

export function nodeWork(base: NodeBase): NodeWork {
  const { config, clock, log, registry, controls, queues } = base;
  const { broker, instrumentation, metrics, leaseMs } = config;
  const strays = strayWarnings(log);
  if (registry.jobs.some((job) => job.isolation === "thread")) threadMain();
  const looks = secondLooks({ broker, clock, log });
  const parts = {
    looks,
    strays,
    threads: new ThreadPool(clock, config.threads, instrumentation?.threadModule, strays, log),
    limits: nodeLimits({
      ...{ node: config.name, broker, metrics, registry, clock, log, leaseMs },
      limitsOf: (queue) => controls.limitsOf(queue),
      random: config.random,
    }),
    unique: uniqueJobs({ node: config.name, broker, registry, clock, log }),
    cancellations: new Cancellations({
      ...{ broker, clock, log, queues, random: config.random },
      onCancel: (queue, id) => {
        for (const job of workers.find((worker) => worker.queue === queue)?.jobs.all ?? [])
          job.heedCancellation(id);
      },
    }),
    recentEnds: new RecentEnds(broker, clock, leaseMs),
    settlements: watchSettlements({ clock, metrics, log, leaseMs }, base.events),
    failures: new FailureLog(log, clock),
    stepHooks: [signalHook(broker, registry, looks), journalHook(broker, registry, clock)].filter(
      (hook) => hook !== undefined,
    ),
    hasInHand: (delivery) =>
      workers.some((one) => one.queue === delivery.message.queue && one.jobs.has(delivery)),
  } satisfies HostParts;
  const host = executionHost(base, parts);
  const workers = queues.map((queue) => {
    const { slots = config.slots, weights, concurrency } = config.queues.get(queue) ?? {};
    return new QueueWorker(host, {
      ...{ queue, slots, leaseMs, weights, concurrency },
      controls: base.isFleet ? controls : undefined,
    });
  });
  return {
    ...parts,
    workers,
    hasSteps: registry.jobs.some((job) => job.steps !== undefined),
    running: () =>
      workers.flatMap(({ jobs }) => [...jobs.all].flatMap((job) => runningJob(job) ?? [])),
  };
}

interface HostParts extends Pick<
  ExecutionHost,
  "failures" | "hasInHand" | "recentEnds" | "settlements"
> {
  readonly strays: StraySignals;
  readonly looks: SecondLooks;
  readonly threads: ThreadPool;
  readonly limits: NodeLimits;
  readonly unique: UniqueJobs;
  readonly cancellations: Cancellations;
  readonly stepHooks: ExecutionHost["hooks"];
}

function executionHost(base: NodeBase, parts: HostParts): ExecutionHost {
  const { config, clock, log, registry, controls, publishing } = base;
  const { broker, name: node } = config;
  const { cancellations, failures, hasInHand, recentEnds, settlements, unique } = parts;
  return {
    ...{ node, broker, registry, clock, log, events: base.events },
    ...{ cancellations, failures, hasInHand, recentEnds, settlements },
    metrics: config.metrics,
    executionLog: config.executionLog,
    instrumentation: config.instrumentation,
    maskText: config.maskText,
    jobLogs:
      config.jobLogs === undefined
        ? undefined
        : new JobLogs({ broker, clock, node, log, config: config.jobLogs }),
    poisonAfter: config.poisonAfter,
    memory: new MemoryBudget(config.jobMemoryBytes, broker.maxValues),
    parked: new ParkedJobs({
      ...{ broker, clock, log },
      maxParked: (queue) =>
        controls.of(queue).maxParked ?? config.queues.get(queue)?.maxParked ?? config.maxParked,
    }),
    quarantine: new Quarantine(),
    begunRuns: new BegunRuns(
      broker,
      { node, instance: base.instance },
      { patienceMs: config.leaseMs, heartbeats: base.heartbeats },
    ),
    sendsTo: (queue) => controls.of(queue).sendsTo ?? config.queues.get(queue)?.sendsTo ?? NOWHERE,
    // Uniqueness comes last: its key is freed by a job that starts, and after it nothing keeps the
    // job from starting.
    limits: [refuseStaleTicks(broker, clock), ...parts.limits.limits, unique.limit],
    hooks: [
      unique.release,
      batchHook({ broker: publishing, clock, node, looks: parts.looks }),
      cancellationHook(broker, cancellations),
      ...parts.stepHooks,
      childHook(broker, clock, parts.looks),
      invokedHook(broker),
    ],
    producer: new Producer(brokerOutlet(publishing, clock), clock, base.internals.newId),
    settleUnrun: base.internals.settleUnrun,
    random: config.random,
    call: handlerCall(base, parts),
  };
}

function handlerCall({ config }: NodeBase, { strays, threads }: HostParts): ExecutionHost["call"] {
  // Not by `context.job`: that is a copy, which few handlers ask for.
  return compose<ThreadContext>(config.middleware, (context) => {
    const { definition } = context;
    return definition.isolation === "thread"
      ? threads.run(definition, context)
      : strays.call(definition, context);
  });
}
