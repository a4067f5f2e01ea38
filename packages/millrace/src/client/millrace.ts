import type {
  BatchOptions,
  Broker,
  BrokerStatus,
  EnqueueItemResult,
  JobDefinition,
  MachineDefinition,
  OnceOptions,
  PlannedJob,
} from "@millrace/core";
import type { Mask } from "@millrace/telemetry/masking";
import type { AnyStateMachine } from "xstate";
import type { Audit } from "./audit.ts";
import type { CallLimits } from "./call-limits.ts";
import type { ClientHealth } from "./client-health.ts";
import type { Cron } from "./schedules/cron.ts";
import type { DeadLetters } from "./dead/dead-letters.ts";
import type { BatchHandle } from "./enqueue/batch.ts";
import type { Chain } from "./enqueue/chain.ts";
import type { EventsQuery } from "./events.ts";
import type { JobEvent } from "./follow-events.ts";
import type { Batches } from "./jobs/batches.ts";
import type { CancelOptions, CancelResult } from "./jobs/cancel-job.ts";
import type { DelayedJobs } from "./jobs/delayed.ts";
import type { JobHandle } from "./jobs/job-handle.ts";
import type { JobQuery, JobStatus } from "./jobs/job-status.ts";
import type { Jobs } from "./jobs/jobs.ts";
import type { SendSignal } from "./jobs/signal-job.ts";
import type { LockOptions, LockScope } from "./lock.ts";
import type { Locks } from "./locks.ts";
import type { MachineHandle } from "./machines/machine-handle.ts";
import type { Machines } from "./machines/machines.ts";
import type { Nodes } from "./nodes.ts";
import type { Operations } from "./operations/operations.ts";
import type { Queues } from "./queues/queues.ts";
import type { Samples } from "./samples/samples.ts";

/** A producer's connection: enqueues jobs, looks them up and waits for them. Made by `connect`. */
export interface Millrace extends AsyncDisposable {
  /**
   * Enqueues one job, confirmed by the server. Where its unique key is held by another job, the
   * handle is that job's (`conflict` says so).
   *
   * @throws MillraceError `invalid-payload`, `invalid-name`, `past-not-before`,
   *   `payload-too-large`, `queue-not-found`, `queue-full` …
   * @example
   * await millrace.enqueue(welcome, { to: "ada@example.com" }, { id: "welcome-ada" });
   * @example
   * const handle = await millrace.enqueue(welcome, { to: "ada@example.com" }, { delay: "5m" });
   * const result = await handle.result({ timeout: "1m" });
   */
  enqueue<Input, Parsed, Output>(
    job: JobDefinition<Input, Parsed, Output>,
    input: NoInfer<Input>,
    options?: OnceOptions,
  ): Promise<JobHandle<Output>>;
  /**
   * Enqueues many jobs at once. Each is confirmed or has its own error; one that fails does not
   * stop the others.
   *
   * @example
   * const items = people.map((person) => ({ input: { to: person.email } }));
   * const results = await millrace.enqueueMany(welcome, items);
   * await millrace.enqueueMany(welcome, items, { atomic: true }); // all of them or none
   */
  enqueueMany<Input, Parsed, Output>(
    job: JobDefinition<Input, Parsed, Output>,
    items: readonly EnqueueItem<NoInfer<Input>>[],
    options?: EnqueueManyOptions,
  ): Promise<readonly EnqueueItemResult[]>;
  /**
   * Enqueues jobs that belong together, and one more when all of them have ended. Each is confirmed
   * or among `refused`.
   *
   * @throws MillraceError `invalid-payload` and its kin, before anything was enqueued
   * @example
   * const batch = await millrace.batch(
   *   files.map((file) => planJob(digest, { file })),
   *   { callback: { job: report, input: { day } } },
   * );
   */
  batch<Input, Parsed, Output>(
    jobs: readonly PlannedJob[],
    options: BatchOptions<Input, Parsed, Output>,
  ): Promise<BatchHandle<Output>>;
  /**
   * Jobs that run one after the other, each with the result of the one before. An `id` of yours is
   * the first job's, and keeps a second chain out as it keeps out a second job (`once`).
   *
   * @example
   * const chain = await millrace.chain(fetchPage, { url }).next(extract).next(store).enqueue();
   */
  chain<Input, Parsed, Output>(
    job: JobDefinition<Input, Parsed, Output>,
    input: NoInfer<Input>,
    options?: OnceOptions,
  ): Chain<Output>;
  /**
   * A job's status. Slow on a long queue: for looking, not for working.
   *
   * @throws MillraceError `job-not-found`, `ambiguous-id` (name the queue then)
   * @example
   * const { hold } = await millrace.job("order-7", { queue: "mail", hold: true });
   */
  job(id: string, options?: JobQuery & CallLimits): Promise<JobStatus>;
  /**
   * Ends a job before its time, whatever it is doing and wherever. See `JobHandle.cancel`.
   *
   * @throws MillraceError `job-not-found`, `ambiguous-id` (name the queue then)
   * @example
   * await millrace.cancel("order-7", { queue: "mail", reason: "the customer withdrew" });
   */
  cancel(
    id: string,
    options?: CancelOptions & { readonly queue?: string; readonly reason?: string },
  ): Promise<CancelResult>;
  /**
   * Sends a signal to a job with steps, which takes it by `step.waitFor`. It is stored, confirmed,
   * whether the job waits for it already or not, and wakes the job if it does. The job is named by
   * its definition or its queue.
   *
   * @throws MillraceError `job-ended`; `invalid-payload` where a signal that was defined with a
   *   schema has another value; `invalid-name`, `invalid-step`, `payload-too-large`; `queue-full`
   *   where 100 signals of this name wait for the job
   * @example
   * await millrace.signal(order, "o-17", "approval", { ok: true }, { id: "mail-31" });
   */
  signal: SendSignal;
  /**
   * A handle on a durable machine, by its definition or its name. Nothing is asked before it is
   * used.
   *
   * @throws MillraceError `invalid-name`
   * @example
   * const o = millrace.machine(order, "o-17");
   * await o.start({ cents: 1_200 });
   * await o.send({ type: "APPROVE", by: "ada" }, { id: "click-31" });
   * const shipped = await o.waitFor((snapshot) => snapshot.matches("shipped"), { timeout: "1h" });
   */
  machine<Chart extends AnyStateMachine>(
    definition: MachineDefinition<Chart>,
    id: string,
  ): MachineHandle<Chart>;
  machine(name: string, id: string): MachineHandle;
  /**
   * A handle on a job that was enqueued elsewhere. Nothing is asked before it is used; a job that
   * nobody knows is then `job-not-found`.
   */
  handle<Output = unknown>(id: string, queue: string): JobHandle<Output>;
  /**
   * Runs a function while holding a lock that one process of the whole fleet can hold at a time.
   * The lock is renewed while the function runs and released when it has ended, however it ended.
   * See `docs/locks.md` for what to do with the token.
   *
   * @throws MillraceError `lock-busy` where another still holds it after `wait`; `request-timeout`
   *   where the server has not said so by then; `lock-lost` where it was lost while the function
   *   ran, with what the function returned (`{ returned }`) or threw as its `cause`;
   *   `invalid-name`, `invalid-option`; what the function throws; the signal's reason where it
   *   ended the waiting
   * @example
   * const patience = { lease: "30s", wait: "5s" };
   * const total = await millrace.lock("invoices/2030-01", patience, async ({ token, signal }) => {
   *   const sum = await addUp({ signal });
   *   const sql = "UPDATE totals SET sum = $1, token = $2 WHERE id = 7 AND token < $2";
   *   await db.query(sql, [sum, token]);
   *   return sum;
   * });
   */
  lock<Result>(
    name: string,
    options: LockOptions,
    run: (scope: LockScope) => Result | PromiseLike<Result>,
  ): Promise<Result>;
  /**
   * The same client with limits for each of its calls. An enqueue whose time is over is not sent
   * any more; the error says whether it was. Other calls take limits of their own, too: the time
   * of such a call counts instead, and whichever signal is aborted first ends it.
   *
   * @throws MillraceError `invalid-option`, `invalid-duration`
   * @example
   * const brief = millrace.with({ timeout: "2s", signal: request.signal });
   * await brief.enqueue(welcome, { to: "ada@example.com" });
   */
  with(limits: CallLimits): Millrace;
  /** Whether there is a connection. It comes back by itself, except after `close()`. */
  readonly status: BrokerStatus;
  /**
   * Tells of each change of `status`. Returns a function that ends this. What the listener throws
   * is a warning of the process, and it is told the next change all the same.
   *
   * @throws MillraceError `invalid-option`
   */
  onStatus(listener: (status: BrokerStatus) => void): () => void;
  /**
   * Whether the server answers now, for a health check: at most 2 s, or as the limits say. What
   * is wrong with the server never makes it reject.
   *
   * @throws MillraceError `invalid-option`, `invalid-duration` for limits that are none
   * @example
   * app.get("/readyz", async (_request, reply) => {
   *   const health = await millrace.health();
   *   return reply.code(health.ready ? 200 : 503).send(health);
   * });
   */
  health(limits?: CallLimits): Promise<ClientHealth>;
  /**
   * What becomes of jobs, in the order in which it was written down: an event for each attempt that
   * ends. Live, and over outages; with `after` also what happened while nobody read. An event may
   * come twice. See `docs/events.md`.
   *
   * @throws MillraceError `events-missed` where the history does not reach back to `after`;
   *   `permission-denied`; `invalid-option`
   * @example
   * for await (const event of millrace.events({ state: ["dead", "cancelled"], after })) {
   *   await tellSupport(event.id, event.error);
   *   await savePosition(event.position);
   * }
   */
  events(query?: EventsQuery): AsyncIterable<JobEvent>;
  /** Listing, counting and watching jobs. */
  readonly jobs: Jobs;
  readonly batches: Batches;
  readonly queues: Queues;
  readonly nodes: Nodes;
  /** Locks that are held, and what waits because of it. */
  readonly locks: Locks;
  /** What operators changed: orders to nodes, and whatever is done to many jobs at once. */
  readonly audit: Audit;
  /** Changes of many jobs or dead letters that survive the process that began them. */
  readonly operations: Operations;
  /** How the fleet was over time. */
  readonly samples: Samples;
  readonly dead: DeadLetters;
  readonly cron: Cron;
  readonly delayed: DelayedJobs;
  /** Looking at durable machines, and forgetting them. */
  readonly machines: Machines;
  /**
   * What hides secrets, the built-in ones and those of `maskKeys` and `maskPatterns`. Filters look
   * at masked payloads, and dashboards show them.
   */
  readonly mask: Mask;
  /** What it stands on. For what this interface does not offer. */
  readonly broker: Broker;
  /** Ends the connection. Idempotent. */
  close(): Promise<void>;
}

/** One job of a bulk enqueue. */
export type EnqueueItem<Input> = OnceOptions & { readonly input: Input };

/** How many jobs are enqueued at once. */
export interface EnqueueManyOptions {
  /**
   * All of the jobs are stored or none, 1,000 at most; the call rejects with what kept them from
   * it. Jobs that are there already, by an id of yours, are duplicates and keep no other from being
   * stored. Needs NATS 2.12; not for jobs with a unique key. Default false.
   */
  readonly atomic?: boolean;
}
