import {
  type AnyStateMachine,
  defined,
  type ExecutionLog,
  type Instrumentation,
  instrumentedBroker,
  isJob,
  isMachine,
  type JobDefinition,
  type MachineDefinition,
  mustBe,
  type Middleware,
  type OnceOptions,
  optionNames,
  type RecordedRun,
  refuseUnknown,
  requireJobList,
  requireParts,
  type StoredDeadLetter,
} from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { createNode, type MillraceNode } from "@millrace/runtime";
import { createClient } from "../client/client.ts";
import type { Millrace } from "../client/millrace.ts";
import type { MachineHandle } from "../client/machines/machine-handle.ts";
import { runsInFlight } from "../client/jobs/runs-in-flight.ts";
import type { JobHandle } from "../client/jobs/job-handle.ts";
import type { JobState, JobStatus } from "../client/jobs/job-status.ts";
import { drain, type DrainTimeOptions } from "./drain.ts";
import { HandlersAtWork } from "./handlers-at-work.ts";

/** The jobs of a test's runtime, and what stands for time and chance. */
export interface TestRuntimeOptions {
  /** What `definition.handler(…)` returned. */
  readonly jobs: readonly unknown[];
  /** What `defineSchedule(…)` returned. They are due as the clock is moved. */
  readonly schedules?: readonly unknown[];
  /** What `defineMachine(…)` returned. Their timers are due as the clock is moved. */
  readonly machines?: readonly unknown[];
  /** Jobs of a queue that run at once. Default 10. */
  readonly slots?: number;
  readonly middleware?: readonly Middleware[];
  readonly executionLog?: ExecutionLog;
  /** For the client and the node: `telemetry()`. */
  readonly instrumentation?: Instrumentation;
  /** The clock's first reading, epoch milliseconds. Default: 2030-01-01T00:00:00Z. */
  readonly startMs?: number;
  /** In [0, 1), for jitter. Default: always 0.5, which is the delay without jitter. */
  readonly random?: () => number;
}

const NAMES = optionNames<TestRuntimeOptions>({
  ...{
    jobs: true,
    schedules: true,
    machines: true,
    slots: true,
    middleware: true,
    executionLog: true,
  },
  ...{ instrumentation: true, startMs: true, random: true },
});

/** A node over a broker in memory and a clock that stands still until it is moved. */
export interface TestRuntime extends AsyncDisposable {
  /** `await t.clock.advance("5m")` */
  readonly clock: SimulatedClock;
  readonly broker: MemoryBroker;
  readonly node: MillraceNode;
  readonly client: Millrace;
  enqueue<Input, Parsed, Output>(
    job: JobDefinition<Input, Parsed, Output>,
    input: NoInfer<Input>,
    options?: OnceOptions,
  ): Promise<JobHandle<Output>>;
  /**
   * Moves the clock from timer to timer until no job waits, is delayed or runs: retries and delays
   * are passed, not waited for. While a handler may be doing real I/O the clock stands still.
   *
   * @throws Error where jobs are still left after `maxTime` of simulated time; where a handler
   *   waits for something that neither the clock nor its I/O brings. It says which
   */
  drain(options?: DrainTimeOptions): Promise<void>;
  /** A handle on a durable machine, as the client gives one. */
  machine<Chart extends AnyStateMachine>(
    definition: MachineDefinition<Chart>,
    id: string,
  ): MachineHandle<Chart>;
  job(id: string): Promise<JobStatus>;
  deadLetters(): Promise<readonly StoredDeadLetter[]>;
  /**
   * What is on record of the jobs with steps that have begun and not ended: plain JSON, to be kept
   * beside a test and replayed with later code (`replayRuns`).
   */
  recordedRuns(): Promise<readonly RecordedRun[]>;
  /** @throws Error that says what the job's state is instead, with its last error */
  assertSucceeded(job: JobHandle | string): Promise<JobStatus>;
  /** @throws Error that says what the job's state is instead */
  assertDead(job: JobHandle | string): Promise<JobStatus>;
  /** @throws Error that says what the job's state is instead */
  assertState(job: JobHandle | string, state: JobState): Promise<JobStatus>;
  /** Idempotent. */
  stop(): Promise<void>;
}

/** @throws MillraceError `invalid-option` */
function requireChance({ startMs = 0, random }: TestRuntimeOptions): void {
  if (!Number.isFinite(startMs)) throw mustBe("startMs", "a number of milliseconds", startMs);
  if (random !== undefined && typeof random !== "function")
    throw mustBe("random", "a function", random);
}

/**
 * A runtime for unit tests of jobs: no server, no waiting.
 *
 * @example
 * await using t = await createTestRuntime({ jobs: [welcome] });
 * const handle = await t.enqueue(definition, { to: "ada@example.com" }, { delay: "5m" });
 * await t.clock.advance("5m");
 * await t.drain();
 * await t.assertSucceeded(handle);
 */
export async function createTestRuntime(options: TestRuntimeOptions): Promise<TestRuntime> {
  refuseUnknown(options, NAMES, "createTestRuntime()");
  requireParts(options);
  requireJobList(options);
  requireChance(options);
  const {
    jobs,
    schedules = [],
    machines = [],
    slots = 10,
    middleware = [],
    instrumentation,
    executionLog,
    startMs,
    random = () => 0.5,
  } = options;
  const clock = new SimulatedClock(startMs);
  const broker = new MemoryBroker({ clock });
  const client = createClient(
    instrumentation === undefined ? broker : instrumentedBroker(broker, instrumentation, fail),
    clock,
    { instrumentation },
  );
  const handlers = new HandlersAtWork(clock, [
    ...jobs,
    ...machines.filter(isMachine).flatMap(({ promiseJobs }) => promiseJobs),
  ]);
  const node = createNode({
    broker,
    jobs,
    schedules,
    machines,
    slots,
    middleware: [handlers.middleware, ...middleware],
    ...defined({ instrumentation, executionLog }),
    clock,
    random,
    jobLogs: { level: "debug" },
    name: "test-node",
    // Renewed often, it would be most of what a day of simulated time takes.
    schedulerLease: "6h",
  });
  await node.start();

  const job = (id: string): Promise<JobStatus> => client.job(id);
  const assertState = async (which: JobHandle | string, state: JobState): Promise<JobStatus> => {
    const status = typeof which === "string" ? await job(which) : await which.status();
    if (status.state === state) return status;
    const error =
      status.error === undefined
        ? ""
        : `; its last error is ${status.error.type}: ${status.error.message}`;
    throw new Error(
      `Job ${status.id} (${status.name}) is ${status.state} after ${status.attempts} attempts, not ${state}${error}`,
    );
  };
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= stopNode(node, clock, broker));
  return {
    clock,
    broker,
    node,
    client,
    machine: (definition, id) => client.machine(definition, id),
    job,
    assertState,
    stop,
    enqueue: (definition, input, enqueueOptions) =>
      client.enqueue(definition, input, enqueueOptions),
    drain: (drainOptions = {}) => drain({ broker, clock, handlers }, drainOptions),
    recordedRuns: async () => {
      const { runs } = await runsInFlight(broker, jobs.filter(isJob), () => clock.now());
      return runs;
    },
    deadLetters: () => broker.deadLetters.list({ limit: Number.MAX_SAFE_INTEGER }),
    assertSucceeded: (which) => assertState(which, "succeeded"),
    assertDead: (which) => assertState(which, "dead"),
    [Symbol.asyncDispose]: stop,
  };
}

/** In a test the trouble of an instrumentation is what is looked for. */
function fail(error: unknown): never {
  throw error;
}

/**
 * A handler that waits for the simulated clock would hold the stop up: time passes until it has
 * ended or was handed back.
 */
async function stopNode(
  node: MillraceNode,
  clock: SimulatedClock,
  broker: MemoryBroker,
): Promise<void> {
  const over = node.stop({ immediate: true }).then(() => "over" as const);
  while ((await Promise.race([over, clock.advance(clock.nextTimerInMs ?? 0)])) !== "over");
  await broker.close();
}
