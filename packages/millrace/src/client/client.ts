import {
  type Broker,
  type Clock,
  type Instrumentation,
  type MachineDefinition,
  type MetricsCollector,
  newJobId,
  noMetrics,
  requireFunction,
} from "@millrace/core";
import type { Mask } from "@millrace/telemetry/masking";
import { maskOf } from "../config/mask-of.ts";
import { callListener } from "./call-listener.ts";
import type { Millrace } from "./millrace.ts";
import { callLimits, type CallLimits } from "./call-limits.ts";
import { bothLimits, clientCalls } from "./client-calls.ts";
import { clientHealth } from "./client-health.ts";
import { cron, CRON_LIMITS } from "./schedules/cron.ts";
import { DEAD_LIMITS, deadLetters } from "./dead/dead-letters.ts";
import { DELAYED_LIMITS, delayedJobs } from "./jobs/delayed.ts";
import { LOCKS_LIMITS, locksOf } from "./locks.ts";
import { withLock } from "./lock.ts";
import { eventsOf } from "./events.ts";
import { enqueueCalls } from "./enqueue/enqueue-calls.ts";
import { jobCalls, lookUpJob } from "./jobs/job-calls.ts";
import { BATCHES_LIMITS, batchesOf } from "./jobs/batches.ts";
import type { JobHandle } from "./jobs/job-handle.ts";
import { jobsOf } from "./jobs/jobs.ts";
import { AUDIT_LIMITS, auditOf } from "./audit.ts";
import { OPERATIONS_LIMITS, operationsOf } from "./operations/operations.ts";
import { SAMPLES_LIMITS, samplesOf } from "./samples/samples.ts";
import { NODES_LIMITS, nodesOf } from "./nodes.ts";
import { QUEUES_LIMITS, queuesOf } from "./queues/queues.ts";
import { machineHandle } from "./machines/machine-handle.ts";
import { MACHINES_LIMITS, machinesOf } from "./machines/machines.ts";

/** What a client may be given besides; each has a default. */
export interface ClientParts {
  /** Of jobs that are given none. */
  readonly newId?: () => string;
  readonly metrics?: MetricsCollector;
  readonly instrumentation?: Instrumentation | undefined;
  /** What hides secrets from filters, and from whoever shows what they find. */
  readonly mask?: Mask;
  /** Of each of its calls. */
  readonly limits?: CallLimits;
}

/** A client over any broker. It owns the broker: `close()` closes it. */
export function createClient(broker: Broker, clock: Clock, parts: ClientParts = {}): Millrace {
  const now = (): number => clock.now();
  const {
    newId = () => newJobId(clock.now()),
    metrics = noMetrics,
    instrumentation,
    mask = maskOf({}),
    limits,
  } = parts;
  const calls = clientCalls({ broker, clock }, limits);
  const host = { broker, clock, newId, calls };
  const { serve: serveOperations, ...operationCalls } = operationsOf(broker, clock, mask);
  const { serve: serveSamples, ...sampleCalls } = samplesOf(broker, clock);
  const { runtimeCharts, ...asynchronous } = machinesOf(broker);
  return {
    ...enqueueCalls(host),
    ...jobCalls(host),
    machine: (of: MachineDefinition | string, id: string) =>
      machineHandle({ ...host, instrumentation }, of, id),
    lock: (name, options, run) =>
      withLock(
        { locks: broker.locks, clock, metrics, instrumentation },
        name,
        calls.lockOptions(options),
        run,
      ),
    with: (more) =>
      createClient(broker, clock, {
        ...parts,
        mask,
        limits: bothLimits(limits, callLimits(more, "with()")) ?? {},
      }),
    get status() {
      return broker.status;
    },
    onStatus: (listener) => {
      requireFunction(listener, "listener");
      return broker.onStatus((status) => callListener(listener, status));
    },
    // Async, so that what was wrong with the call rejects like every other error.
    health: async (own = {}) =>
      clientHealth(broker, clock, bothLimits(limits, callLimits(own, "health()")) ?? {}),
    events: (query = {}) => eventsOf(broker, clock, calls.read(query)),
    batches: calls.each("batches", batchesOf(broker), BATCHES_LIMITS),
    jobs: calls.jobs(jobsOf(broker, lookUpJob(broker, now), { clock, mask })),
    queues: calls.each("queues", queuesOf(broker, clock), QUEUES_LIMITS),
    nodes: calls.each("nodes", nodesOf(broker), NODES_LIMITS),
    locks: calls.each("locks", locksOf(broker), LOCKS_LIMITS),
    audit: calls.each("audit", auditOf({ broker, mask }), AUDIT_LIMITS),
    operations: {
      ...calls.each("operations", operationCalls, OPERATIONS_LIMITS),
      serve: (options) =>
        calls.open("operations.serve()", () => serveOperations(options), options?.signal),
    },
    samples: {
      ...calls.each("samples", sampleCalls, SAMPLES_LIMITS),
      serve: (options) =>
        calls.open("samples.serve()", () => serveSamples(options), options?.signal),
    },
    dead: calls.each("dead", deadLetters(broker, clock, mask), DEAD_LIMITS),
    cron: {
      ...calls.each("cron", cron(broker, clock, newId), CRON_LIMITS),
      run: async (name, own = {}) => {
        const run = (via: Broker): Promise<JobHandle> => cron(via, clock, newId).run(name);
        return calls.handle(await calls.publish("cron.run()", run, callLimits(own, "cron.run()")));
      },
    },
    machines: { ...calls.each("machines", asynchronous, MACHINES_LIMITS), runtimeCharts },
    delayed: calls.each("delayed", delayedJobs(broker, now), DELAYED_LIMITS),
    mask,
    broker,
    close: () => broker.close(),
    [Symbol.asyncDispose]: () => broker.close(),
  };
}
