import {
  type Broker,
  type Clock,
  type Instrumentation,
  type MachineDefinition,
  type MetricsCollector,
  newJobId,
  noMetrics,
} from "@millrace/core";
import { createMask, type Mask } from "@millrace/telemetry/masking";
import type { Millrace } from "./millrace.ts";
import { callLimits, type CallLimits } from "./call-limits.ts";
import { clientCalls } from "./client-calls.ts";
import { clientHealth } from "./client-health.ts";
import { cron } from "./cron.ts";
import { deadLetters } from "./dead/dead-letters.ts";
import { delayedJobs } from "./jobs/delayed.ts";
import { locksOf } from "./locks.ts";
import { withLock } from "./lock.ts";
import { eventsOf } from "./events.ts";
import { enqueueCalls } from "./enqueue/enqueue-calls.ts";
import { jobCalls, lookUpJob } from "./jobs/job-calls.ts";
import { batchesOf } from "./jobs/batches.ts";
import { jobsOf } from "./jobs/jobs.ts";
import { auditOf } from "./audit.ts";
import { operationsOf } from "./operations/operations.ts";
import { samplesOf } from "./samples/samples.ts";
import { nodesOf } from "./nodes.ts";
import { queuesOf } from "./queues/queues.ts";
import { machineHandle } from "./machines/machine-handle.ts";
import { machinesOf } from "./machines/machines.ts";

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
    mask = createMask(),
    limits,
  } = parts;
  const calls = clientCalls({ broker, clock }, limits);
  const host = { broker, clock, newId, calls };
  const operations = operationsOf(broker, clock, mask);
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
        limits: { ...limits, ...callLimits(more, "with()") },
      }),
    get status() {
      return broker.status;
    },
    onStatus: (listener) => broker.onStatus(listener),
    // Async, so that what was wrong with the call rejects like every other error.
    health: async (own = {}) =>
      clientHealth(broker, clock, { ...limits, ...callLimits(own, "health()") }),
    events: (query = {}) => {
      const signal = query.signal ?? limits?.signal;
      return eventsOf(broker, clock, { ...query, ...(signal === undefined ? {} : { signal }) });
    },
    batches: calls.each("batches", batchesOf(broker)),
    jobs: calls.jobs(jobsOf(broker, lookUpJob(broker, now), now)),
    queues: calls.each("queues", queuesOf(broker, clock), { drain: 1, purge: 1 }),
    nodes: calls.each("nodes", nodesOf(broker)),
    locks: calls.each("locks", locksOf(broker)),
    audit: calls.each("audit", auditOf(broker)),
    operations: {
      ...calls.each("operations", operations, { run: 1 }),
      serve: (options) => calls.open("operations.serve()", () => operations.serve(options)),
    },
    samples: calls.each("samples", samplesOf(broker, clock)),
    dead: calls.each("dead", deadLetters(broker, clock, mask)),
    cron: {
      ...calls.each("cron", cron(broker, clock, newId)),
      run: async (name) =>
        calls.handle(await calls.publish("cron.run()", (via) => cron(via, clock, newId).run(name))),
    },
    machines: { ...calls.each("machines", asynchronous), runtimeCharts },
    delayed: calls.each("delayed", delayedJobs(broker, now)),
    mask,
    broker,
    close: () => broker.close(),
    [Symbol.asyncDispose]: () => broker.close(),
  };
}
