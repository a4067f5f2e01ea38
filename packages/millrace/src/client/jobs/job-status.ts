import {
  type Broker,
  defined,
  flowPlace,
  type FlowPlace,
  type HistoryRecord,
  type JobRef,
  MillraceError,
  orWhereDenied,
  type ProgressReport,
  type RecordedError,
  recordedPlace,
  requireId,
  type RunningJob,
  traceIdOf,
  type WaitingJob,
} from "@millrace/core";
import { holdOf, type JobHold } from "./job-hold.ts";
import { type JobStep, stepsOf } from "./job-steps.ts";
import { knownNodes, unansweredJobs } from "./unanswered.ts";

/**
 * Where a job is now. `delayed` waits for its time, `queued` for a slot, `blocked` at a gate: for a
 * permit, a lock, a rate.
 */
export type JobState =
  "queued" | "delayed" | "blocked" | "running" | "succeeded" | "dead" | "expired" | "cancelled";

/** Which job is looked up, and how closely. */
export interface JobQuery {
  /** Needed where several queues have a job with this id. */
  readonly queue?: string;
  /**
   * What keeps the job from running is looked for too: it reads all locks and asks all nodes. Needs
   * the rights to read what nodes and operators say.
   */
  readonly hold?: boolean;
  /** The payload of a job that waits or runs is told too. */
  readonly payload?: boolean;
}

/** What a job carries, as it is stored: nothing of it is masked. */
export interface JobCargo {
  readonly payload: unknown;
  readonly headers: Readonly<Record<string, string>>;
  readonly tags?: readonly string[];
}

/** All that is known about one job. */
export interface JobStatus extends FlowPlace {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly state: JobState;
  /** Attempts that ended in an outcome. */
  readonly attempts: number;
  /** When it was enqueued, as far as that is known. */
  readonly createdAt?: number;
  /** Of a running job whose node answers: where it runs, and since when. */
  readonly running?: {
    readonly node: string;
    readonly attempt: number;
    readonly startedAt: number;
    /**
     * From 2 on, how often the server has handed it out for this attempt: an earlier holder died
     * with it, was cut off, or gave it back. Absent the first time.
     */
    readonly deliveries?: number;
  };
  /**
   * Of a running job whose node does not answer: how long ago the node was heard of last. The job
   * runs there, or comes back when its lease is over.
   */
  readonly silentMs?: number;
  /** That node, where only one can have the job. */
  readonly silentNode?: string;
  /** What keeps it from running, where that was asked for: `{ hold: true }`. */
  readonly hold?: JobHold;
  /** Of a job that waits or runs, where that was asked for: `{ payload: true }`. */
  readonly cargo?: JobCargo;
  /** The job in whose handler this one was enqueued. */
  readonly parent?: JobRef;
  /** The trace that shows its last attempt, or its publish where it has had none. */
  readonly traceId?: string;
  /** One record per settled delivery, oldest first. */
  readonly history: readonly HistoryRecord[];
  /** What the handler returned, once `succeeded`. */
  readonly result?: unknown;
  /** What its handler reported last, while the job has not ended. */
  readonly progress?: ProgressReport;
  /** Of a job with steps, until it has succeeded or was cancelled: what is on record of them. */
  readonly steps?: readonly JobStep[];
  /**
   * How many steps its handler has asked for, as the history says; also where they are not on
   * record any more.
   */
  readonly stepCount?: number;
  /** The last error, also while another attempt is to come. */
  readonly error?: RecordedError;
}

/** What a look at a job gave. */
export interface JobTraces {
  readonly history: readonly HistoryRecord[];
  readonly running: RunningJob | undefined;
  readonly waiting: WaitingJob | undefined;
}

/** How long a node has to answer that it runs a job. */
const WHO_RUNS_MS = 400;

/**
 * Looks a job up.
 *
 * @param asks.hold whether what holds it is looked for too, which asks much of the server
 * @param asks.payload whether what it carries is told
 * @throws MillraceError `job-not-found`, `ambiguous-id`
 */
export async function findJob(
  broker: Broker,
  id: string,
  queue: string | undefined,
  now: () => number,
  asks: Pick<JobQuery, "hold" | "payload"> = {},
): Promise<JobStatus> {
  const where = queue === undefined ? {} : { queue };
  // A running job's message stays in its queue until it is settled, so only for a job that is found
  // there is it worth asking who has it.
  const waiting = await broker.findWaiting(id, where);
  const running =
    waiting?.state === "queued"
      ? await broker.whoRuns(id, { timeoutMs: WHO_RUNS_MS, queue })
      : undefined;
  // History is read last: a job that is settled between the looks then shows in it, instead of
  // nowhere.
  const history = distinct(await broker.history.read({ id, ...where }));
  const traces = { history, running, waiting };
  const status = jobStatus(id, traces, now()) ?? (await lastOfAll(broker, id, queue));
  if (status !== undefined) {
    const held = status.state === "queued" ? await withSilence(broker, status, waiting) : status;
    const shown = await withSteps(broker, await withProgress(broker, held), traces, now());
    const hold = asks.hold === true ? await holdOf(broker, shown, waiting) : undefined;
    const cargo = asks.payload === true ? cargoOf(shown, waiting) : undefined;
    return {
      ...shown,
      ...(hold === undefined ? {} : { hold }),
      ...(cargo === undefined ? {} : { cargo }),
    };
  }
  throw new MillraceError(
    "job-not-found",
    `No job ${id}${queue === undefined ? "" : ` in queue ${queue}`} waits, runs, is in the history or dead. It may never have been enqueued, or have left the history.`,
  );
}

/** A dead letter stays for as long as nobody takes it, and the history forgets the job before. */
async function lastOfAll(
  broker: Broker,
  id: string,
  queue: string | undefined,
): Promise<JobStatus | undefined> {
  // Who may look a job up may still not see dead letters.
  const letters = await orWhereDenied([], () =>
    broker.deadLetters.list({ id: requireId(id), ...defined({ queue }) }),
  );
  const letter = letters.at(-1);
  if (letter === undefined) return undefined;
  requireOneQueue(
    id,
    letters.map((one) => one.queue),
  );
  const { name = "", attempts, error, headers, reason } = letter;
  const state = reason === "expired" ? "expired" : "dead";
  const traceId = traceIdOf(headers);
  return {
    ...{ id, name, queue: letter.queue, state, attempts, history: [] },
    ...defined({ traceId, error }),
  };
}

function requireOneQueue(id: string, all: readonly string[]): void {
  const queues = new Set(all);
  if (queues.size < 2) return;
  throw new MillraceError(
    "ambiguous-id",
    `${id} stands for a job in each of ${[...queues].join(", ")}: name the queue too.`,
  );
}

/**
 * A job's status from what was seen of it.
 *
 * @throws MillraceError `ambiguous-id` where the id stands for jobs of several queues
 */
export function jobStatus(id: string, traces: JobTraces, now: number): JobStatus | undefined {
  const { history, running, waiting } = traces;
  const last = history.at(-1);
  requireOneQueue(id, [
    ...history.map(({ queue }) => queue),
    ...[running?.queue, waiting?.envelope.queue].filter((queue) => queue !== undefined),
  ]);
  const seen = running ?? waiting?.envelope ?? last;
  if (seen === undefined) return undefined;
  const state = stateOf(traces, now);
  const stepCount = stepCountOf(history);
  const error = last?.error ?? waiting?.envelope.lastError;
  const parent = waiting?.envelope.parent ?? last?.parent;
  const traceId = last?.traceId ?? (waiting && traceIdOf(waiting.envelope.headers));
  const createdAt = running?.createdAt ?? waiting?.envelope.createdAt ?? last?.createdAt;
  return {
    id,
    name: seen.name,
    queue: seen.queue,
    state,
    attempts: last?.attempts ?? waiting?.envelope.attempts ?? 0,
    ...(parent === undefined ? {} : { parent }),
    ...(waiting === undefined ? recordedPlace(last ?? {}) : flowPlace(waiting.envelope)),
    ...defined({ createdAt, traceId, stepCount }),
    ...(state === "running" && running !== undefined ? { running: runOf(running) } : {}),
    history,
    ...(state === "succeeded" && last?.output !== undefined ? { result: last.output } : {}),
    ...(state !== "succeeded" && error !== undefined ? { error } : {}),
  };
}

function runOf({
  node,
  attempt,
  startedAt,
  deliveries,
}: RunningJob): NonNullable<JobStatus["running"]> {
  return { node, attempt, startedAt, ...defined({ deliveries }) };
}

/** Looked at in front of the queue, beside the jobs that are handed out, which lie there. */
const IN_FRONT = 100;

/** The server may have handed it to a node that does not answer. */
async function withSilence(
  broker: Broker,
  status: JobStatus,
  waiting: WaitingJob | undefined,
): Promise<JobStatus> {
  if (waiting?.state !== "queued") return status;
  const { running } = await broker.queues.snapshot(status.queue);
  if (running === 0) return status;
  const nodes = await knownNodes(broker);
  const options = { limit: running + IN_FRONT, missing: running, running: [], nodes };
  const { jobs } = await unansweredJobs(broker, status.queue, options);
  const found = jobs.find(({ job }) => job.envelope.id === status.id);
  if (found === undefined) return status;
  const { node, silentMs } = found;
  return {
    ...status,
    state: "running",
    ...defined({ silentMs, silentNode: node }),
  };
}

function stateOf({ history, running, waiting }: JobTraces, now: number): JobState {
  const last = history.at(-1);
  // A message stays in the queue until it is acked, so one that is being settled shows in both
  // places: its record decides.
  if (last !== undefined && last.state !== "requeued" && !isNewer(last, running, waiting))
    return last.state;
  if (running !== undefined) return "running";
  if (waiting !== undefined) return waiting.state;
  if (last?.outcome === "blocked") return "blocked";
  return last?.notBefore !== undefined && last.notBefore > now ? "delayed" : "queued";
}

/**
 * Whether a job that had ended was brought back since: its dead letter was retried, or its id used
 * again.
 */
export function isNewer(
  last: HistoryRecord,
  running: RunningJob | undefined,
  waiting: WaitingJob | undefined,
): boolean {
  if (
    waiting !== undefined &&
    (waiting.envelope.generation > last.generation || waiting.storedAt > last.at)
  )
    return true;
  return running !== undefined && running.startedAt > last.at;
}

/**
 * A record may be stored twice; readers drop the second. An id that was used again has records at
 * other places in the queue.
 */
export function distinct(records: readonly HistoryRecord[]): readonly HistoryRecord[] {
  const seen = new Set<string>();
  return records.filter((record) => {
    const key = `${record.queue} ${record.generation} ${record.sequence} ${record.state} ${record.outcome}`;
    return !seen.has(key) && seen.add(key);
  });
}

const LIVE: ReadonlySet<JobState> = new Set<JobState>(["queued", "delayed", "blocked", "running"]);

/** One that runs lies in its queue until it is settled. */
function cargoOf({ state }: JobStatus, waiting: WaitingJob | undefined): JobCargo | undefined {
  if (!LIVE.has(state) || waiting === undefined) return undefined;
  const { payload = null, headers, tags } = waiting.envelope;
  return { payload, headers, ...(tags === undefined ? {} : { tags }) };
}

async function withProgress(broker: Broker, status: JobStatus): Promise<JobStatus> {
  if (!LIVE.has(status.state)) return status;
  const progress = await broker.progress.latest(status);
  return progress === undefined ? status : { ...status, progress };
}

/** Of its last enqueue: the most that any attempt came to. */
function stepCountOf(history: readonly HistoryRecord[]): number | undefined {
  const createdAt = history.at(-1)?.createdAt;
  const counts = history
    .filter((record) => record.createdAt === createdAt)
    .flatMap(({ stepCount }) => stepCount ?? []);
  return counts.length === 0 ? undefined : Math.max(...counts);
}

/** Of a job that has succeeded, or was cancelled, nothing is kept. */
const STEPLESS: ReadonlySet<JobState> = new Set<JobState>(["succeeded", "cancelled"]);

async function withSteps(
  broker: Broker,
  status: JobStatus,
  { running, waiting, history }: JobTraces,
  now: number,
): Promise<JobStatus> {
  const createdAt = running?.createdAt ?? waiting?.envelope.createdAt ?? history.at(-1)?.createdAt;
  if (STEPLESS.has(status.state) || createdAt === undefined) return status;
  const { id, queue } = status;
  const steps = await stepsOf(broker, { id, queue, createdAt }, now);
  return steps.length === 0 ? status : { ...status, steps };
}
