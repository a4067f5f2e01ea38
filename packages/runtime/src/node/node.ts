import {
  brokerOutlet,
  checkInput,
  countingBroker,
  DisciplinedClock,
  EventBus,
  instrumentedBroker,
  type Logger,
  MillraceError,
  newJobId,
  optionNames,
  Producer,
  recordError,
  refuseUnknown,
  type RunningJob,
  type Stoppable,
} from "@millrace/core";
import { createActor, waitFor } from "xstate";
import { openClockWatch } from "../clock/clock-watch.ts";
import { cancellationHook } from "../control/cancellation-hook.ts";
import { Cancellations } from "../control/cancellations.ts";
import { QueueControlsView } from "../control/queue-controls.ts";
import type { AttemptContext } from "../execution/attempt/attempt-context.ts";
import { compose } from "../execution/attempt/compose.ts";
import type { ExecutionHost } from "../execution/execution-host.ts";
import { JobLogs } from "../job-log/job-logs.ts";
import { nodeGates } from "../limits/node-gates.ts";
import { batchHook } from "../execution/settle/batch-hook.ts";
import { type Health, healthOf } from "./health.ts";
import { nodeReadings } from "../metrics/node-readings.ts";
import { QueueReadings } from "../metrics/queue-readings.ts";
import { RecentEnds } from "../execution/recall/recent-ends.ts";
import { FailureLog } from "../execution/attempt/failure-log.ts";
import { watchSettlements } from "../execution/settle/trouble-log.ts";
import { Suspects } from "../execution/recall/suspects.ts";
import { TrialRuns } from "../execution/recall/trial-runs.ts";
import { ParkedJobs } from "../limits/parked-jobs.ts";
import { nodePresence } from "../presence/node-presence.ts";
import { outcomeQueues } from "../registry/outcome-targets.ts";
import { Registry } from "../registry/registry.ts";
import { openScheduler } from "../scheduler/scheduler.ts";
import { staleTickGate } from "../scheduler/stale-tick-gate.ts";
import { createService, type Service } from "../service/service.ts";
import { xstateClock } from "../service/xstate-clock.ts";
import { strayWarnings } from "../execution/attempt/stray-signals.ts";
import { threadMain, ThreadPool } from "../thread/thread-pool.ts";
import { uniqueJobs } from "../limits/unique/unique-jobs.ts";
import { MemoryBudget } from "../worker/memory-budget.ts";
import { QueueWorker } from "../worker/queue-worker.ts";
import { connectionLog } from "./connection-log.ts";
import { childHook } from "../execution/steps/child-hook.ts";
import { journalHook } from "../execution/steps/journal-hook.ts";
import { signalHook } from "../execution/steps/signal-hook.ts";
import { wakeForSignal } from "../execution/steps/wake-job.ts";
import { watchLoop } from "./loop-watch.ts";
import { closeTimeMs, nodeMachine, type NodeState } from "./node-machine.ts";
import { nodeConfig, type NodeOptions } from "./node-options.ts";
import { servedQueues } from "./plan-node.ts";
import { StopDeadline } from "./stop-deadline.ts";

/** A running set of queue workers with everything they need. */
export interface MillraceNode {
  readonly name: string;
  readonly state: NodeState;
  readonly events: EventBus;
  /** Queues that are served. */
  readonly queues: readonly string[];
  readonly running: readonly RunningJob[];
  /**
   * Resolves when every queue is bound.
   * @throws whatever kept the node from starting; it is stopped then
   */
  start(): Promise<void>;
  /**
   * Takes nothing new, lets work end, tells it to stop, hands back what is left unspent. Never
   * longer than the grace. Calling again waits for the same end; with `immediate` it hands back at
   * once. Idempotent.
   */
  stop(options?: { readonly immediate?: boolean }): Promise<void>;
  /** Resolves when the node has stopped, for whatever reason. */
  readonly stopped: Promise<void>;
  /**
   * What is left of the grace, milliseconds: for what is closed after the node, its connection
   * first of all. Enough for a round trip at least.
   */
  readonly graceLeftMs: number;
  health(): Health;
}

/** Where a queue sends on to of which nothing is said. */
const NOWHERE: readonly string[] = Object.freeze([]);

/** For nodes that are no fleet's: not part of the public options. */
export interface NodeInternals {
  /**
   * Settles every job by this instead of running it, and takes no notice of what is set for the
   * queues.
   */
  readonly verdict?: ExecutionHost["verdict"];
  /** Makes the ids of what handlers enqueue. Default: a UUID version 7. */
  readonly newId?: () => string;
  /** Of a node that others listen to before it has a broker. Default: a bus of its own. */
  readonly events?: EventBus;
}

/** A listener that throws costs a log line. */
export function nodeEvents(log: Logger): EventBus {
  return new EventBus((error) =>
    log.error({ error: recordError(error) }, "an event listener threw"),
  );
}

const STOP_NAMES = optionNames<NonNullable<Parameters<MillraceNode["stop"]>[0]>>({
  immediate: true,
});

/**
 * A node that runs these jobs. It does not own the broker: close that after the node has stopped,
 * within what `graceLeftMs` says.
 *
 * @throws MillraceError `invalid-option` and its kin, `no-jobs`, `no-handler`, `duplicate-job`
 */
export function createNode(options: NodeOptions, internals: NodeInternals = {}): MillraceNode {
  const config = nodeConfig(options);
  const { broker, metrics, instrumentation } = config;
  /** What the node stamps is by the server's clock, wherever its machine's is. */
  const clock = new DisciplinedClock(config.clock);
  const log = config.log.child({ node: config.name });
  const instrumentationFailed = (error: unknown): void =>
    log.error({ error: recordError(error) }, "the instrumentation threw");
  /**
   * For what is published in the course of work; what only reads and settles stands on the bare
   * broker.
   */
  const counted = countingBroker(broker, metrics, clock);
  const publishing =
    instrumentation === undefined
      ? counted
      : instrumentedBroker(counted, instrumentation, instrumentationFailed);
  const registry = new Registry(config.jobs);
  const events = internals.events ?? nodeEvents(log);
  /** One that runs nothing leads nothing either. */
  const isFleet = internals.verdict === undefined;
  const controls = new QueueControlsView({ broker, clock, log });
  const gates = nodeGates({
    node: config.name,
    broker,
    metrics,
    registry,
    clock,
    log,
    leaseMs: config.leaseMs,
    limitsOf: (queue) => controls.limitsOf(queue),
    random: config.random,
  });
  const strays = strayWarnings(log);
  if (registry.jobs.some((job) => job.isolation === "thread")) threadMain();
  const threads = new ThreadPool(clock, config.threads, instrumentation?.threadModule, strays);
  const queues = servedQueues(registry, config.queues);
  // Who is told of an end may be deployed later: until then it waits in its queue.
  const neededQueues = [...new Set([...queues, ...outcomeQueues(registry.jobs)])];
  const cancellations = new Cancellations({
    broker,
    clock,
    log,
    random: config.random,
    queues,
    onCancel: (queue, id) => workers.find((worker) => worker.queue === queue)?.heedCancellation(id),
  });
  const recentEnds = new RecentEnds(broker, clock, config.leaseMs);
  /** Of this life of the node: two that had one name are told apart by it. */
  const instance = newJobId(clock.now());
  const unique = uniqueJobs({ node: config.name, broker, registry, clock, log });
  const settlements = watchSettlements({ clock, metrics, log, leaseMs: config.leaseMs }, events);
  const failures = new FailureLog(log, clock);
  const stepHooks = [signalHook(broker, registry), journalHook(broker, registry)].filter(
    (hook) => hook !== undefined,
  );
  const batches = batchHook({ broker: publishing, clock, node: config.name });
  const host: ExecutionHost = {
    node: config.name,
    broker,
    registry,
    clock,
    events,
    metrics,
    executionLog: config.executionLog,
    instrumentation,
    log,
    maskText: config.maskText,
    jobLogs:
      config.jobLogs === undefined
        ? undefined
        : new JobLogs({ broker, clock, node: config.name, log, config: config.jobLogs }),
    poisonAfter: config.poisonAfter,
    memory: new MemoryBudget(config.jobMemoryBytes, broker.maxValues),
    parked: new ParkedJobs({
      broker,
      clock,
      log,
      maxParked: (queue) =>
        controls.of(queue).maxParked ?? config.queues.get(queue)?.maxParked ?? config.maxParked,
    }),
    settlements,
    failures,
    suspects: new Suspects(),
    trials: new TrialRuns(broker, { node: config.name, instance }, config.leaseMs),
    recentEnds,
    hasInHand: (delivery) =>
      workers.some((one) => one.queue === delivery.message.queue && one.hasInHand(delivery)),
    cancellations,
    sendsTo: (queue) => controls.of(queue).sendsTo ?? config.queues.get(queue)?.sendsTo ?? NOWHERE,
    // Uniqueness comes last: its key is freed by a job that starts, and after it nothing keeps the
    // job from starting.
    gates: [staleTickGate(broker, clock), ...gates.gates, unique.gate],
    hooks: [
      ...[unique.release, batches, cancellationHook(broker, cancellations)],
      ...[...stepHooks, childHook(broker, clock)],
    ],
    producer: new Producer(brokerOutlet(publishing), clock, internals.newId),
    verdict: internals.verdict,
    random: config.random,
    call: compose<AttemptContext>(config.middleware, (context) => {
      const job = registry.get(context.job.name, context.job.queue);
      if (job === undefined)
        throw new MillraceError("unknown-name", `No handler called ${context.job.name}.`);
      return job.isolation === "thread" ? threads.run(job, context) : strays.call(job, context);
    }),
  };
  const workers = queues.map(
    (queue) =>
      new QueueWorker(host, {
        queue,
        slots: config.queues.get(queue)?.slots ?? config.slots,
        leaseMs: config.leaseMs,
        weights: config.queues.get(queue)?.weights,
        concurrency: config.queues.get(queue)?.concurrency,
        controls: isFleet ? controls : undefined,
      }),
  );
  /**
   * Open before any job is taken: one that runs must not have been cancelled before, and is stamped
   * by the server's clock.
   */
  const watches = [
    {
      what: "reading the server's clock",
      open: () => openClockWatch({ broker, clock, log, random: config.random }),
    },
    { what: "watching for cancellations", open: () => cancellations.watch() },
    { what: "watching the queues' controls", open: () => controls.open() },
    { what: "reading what was settled last", open: () => recentEnds.open() },
  ].map(service);
  const sideServices = [
    { what: "moving due jobs", open: () => broker.moveDueJobs() },
    ...(isFleet ? [{ what: "sweeping gates", open: () => gates.sweep() }] : []),
    ...(stepHooks.length === 0
      ? []
      : [
          {
            what: "waking jobs for their signals",
            open: () => broker.signals.follow((signal) => wakeForSignal(broker, signal)),
          },
        ]),
    { what: "answering who runs a job", open: () => broker.answerWhoRuns(runningJob) },
    { what: "answering which jobs run", open: () => broker.answerListRunning(runningJobs) },
    {
      what: "watching the event loop",
      open: async () => watchLoop({ clock, log, running: runningJobs }),
    },
  ].map(service);

  function service({ what, open }: { what: string; open: () => Promise<Stoppable> }): Service {
    return createService({
      clock,
      open,
      onError: (error) => log.warn({ error: recordError(error) }, `${what} failed; trying again`),
    });
  }

  const runningJobs = (): readonly RunningJob[] => workers.flatMap((worker) => worker.running);

  /** A queue that was removed and made anew is open again, whatever was said of it. */
  async function keepClosed(queue: string): Promise<void> {
    if (controls.of(queue).closed !== undefined) await broker.queues.setIntake(queue, "closed");
  }

  const scheduler = createService({
    clock,
    open: () =>
      openScheduler(
        {
          node: config.name,
          broker: publishing,
          clock,
          events,
          metrics,
          log,
          leaseMs: config.schedulerLeaseMs,
        },
        config.schedules,
      ),
    onError: (error) =>
      log.warn({ error: recordError(error) }, "schedules can't be stored or led; trying again"),
  });
  if (isFleet) sideServices.push(scheduler);
  const readings = service({
    what: "reading for the metrics",
    open: async () => {
      const queues = isFleet
        ? new QueueReadings({ node: config.name, broker, clock, metrics, log })
        : undefined;
      return nodeReadings({ broker, clock, metrics, workers, queues });
    },
  });
  if (metrics.onCollect !== undefined) sideServices.push(readings);
  const presence = nodePresence({
    config,
    clock,
    instance,
    workers,
    events,
    state: () => actor.getSnapshot().value,
    stop: () => actor.send({ type: "STOP" }),
  });

  function runningJob(id: string): RunningJob | undefined {
    return runningJobs().find((job) => job.id === id);
  }

  /** Why the node never ran; set by the machine's `onFailure` before it closes. */
  let failure: Error | undefined;
  /** Set while the node is between opening and closing. */
  let unwatchStatus = (): void => {};
  const actor = createActor(nodeMachine, {
    clock: xstateClock(clock),
    input: {
      graceMs: config.graceMs,
      open: async (signal) => {
        const tell = connectionLog(log, clock);
        unwatchStatus = broker.onStatus((status) => {
          tell(status);
          if (status !== "closed") events.emit("broker.status", { status });
        });
        await Promise.all(config.schedules.map((schedule) => checkInput(schedule)));
        await Promise.all(
          neededQueues.map((queue) =>
            broker.queues.ensure(queue, config.queues.get(queue)?.settings),
          ),
        );
        if (signal.aborted) return;
        await Promise.all(watches.map((watch) => watch.start()));
        await Promise.all(neededQueues.map(keepClosed));
        if (signal.aborted) return;
        // Nobody waits for it: a node that may not say that it is there works all the same.
        if (isFleet) void presence.start();
        await Promise.all([...workers, ...sideServices].map((one) => one.start()));
      },
      stopPulling: () => {
        for (const worker of workers) void worker.stopPulling();
        // Another node can lead while this one lets its jobs end.
        void scheduler.stop();
      },
      idle: async () => {
        await Promise.all(workers.map((worker) => worker.stopPulling()));
        await Promise.all(workers.map((worker) => worker.idle()));
      },
      abortAll: () => {
        for (const worker of workers)
          worker.abortAll("shutdown", "The node is stopping and the grace has passed.");
      },
      handBackAll: () => {
        for (const worker of workers) void worker.handBackAll();
      },
      close: async () => {
        unwatchStatus();
        const left = workers.reduce((sum, worker) => sum + worker.letGoAll(), 0);
        if (left > 0)
          log.warn(
            { jobs: left },
            "stopping with jobs that could not be handed back; they return when their leases have run out",
          );
        // Side by side, so that one that does not end keeps no other from ending.
        await Promise.all([
          ...workers.map((worker) => worker.stopPulling()),
          ...[...watches, ...sideServices, presence].map((one) => one.stop()),
          unique.sweeper.stop(),
          gates.close(),
          ...workers.map((worker) => worker.close()),
          threads.close(),
          config.executionLog.close(closeTimeMs(config.graceMs)),
        ]);
        failures.close();
        // The last settlements have told of themselves. The machine waits for this no longer than
        // for the rest.
        await instrumentation?.shutdown().catch(instrumentationFailed);
      },
      onFailure: (error) => {
        failure ??= error instanceof Error ? error : new Error(String(error));
        log.error({ error: recordError(error) }, "the node failed");
      },
    },
  });
  const deadline = new StopDeadline(clock, config.graceMs);
  let told: NodeState = "idle";
  actor.subscribe(({ value }) => {
    if (value === told) return;
    told = value;
    deadline.entered(value);
    metrics.gauge("millrace_node_ready", {}, value === "running" ? 1 : 0);
    log.info({ state: value }, `node is ${value}`);
    events.emit("node.state", { node: config.name, state: value });
  });
  actor.start();
  const stopped = waitFor(actor, (snapshot) => snapshot.status !== "active", {
    timeout: Infinity,
  }).then(() => {});

  return {
    name: config.name,
    events,
    queues,
    stopped,
    get graceLeftMs() {
      return deadline.leftMs;
    },
    get state() {
      return actor.getSnapshot().value;
    },
    get running() {
      return workers.flatMap((worker) => worker.running);
    },
    start: async () => {
      if (actor.getSnapshot().status !== "active")
        throw new MillraceError("already-stopped", "This node was stopped. Make another.");
      actor.send({ type: "START" });
      await waitFor(
        actor,
        (snapshot) => snapshot.matches("running") || snapshot.status !== "active",
        { timeout: Infinity },
      );
      if (failure !== undefined) throw failure;
    },
    stop: async (options = {}) => {
      refuseUnknown(options, STOP_NAMES, "stop()");
      const { immediate = false } = options;
      if (actor.getSnapshot().status === "active")
        actor.send({ type: immediate ? "HURRY" : "STOP" });
      await stopped;
    },
    health: () =>
      healthOf({
        state: actor.getSnapshot().value,
        broker: broker.status,
        workers,
        now: clock.monotonic(),
        stuck: settlements.stuck(),
        running: workers.flatMap((w) => w.running).length,
      }),
  };
}
