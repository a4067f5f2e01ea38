import {
  type Broker,
  type Clock,
  type JobLogLine,
  MillraceError,
  type StoredLogPage,
  type Timer,
} from "@millrace/core";
import { endsAtOnce } from "./results/ends-at-once.ts";
import { HOPELESS } from "./hopeless.ts";
import { ResultWait } from "./results/job-result.ts";
import type { AwaitedJob } from "./results/awaited-job.ts";

/** A line that a handler logged, and where. */
export interface JobLogEntry extends JobLogLine {
  /** 1 for the first. */
  readonly attempt: number;
  readonly node: string;
  /** Fencing token: tells the runs of an attempt apart, on two nodes or in two lives of the job. */
  readonly token: number;
  /** When the job was enqueued: an id that is used again has another one. */
  readonly createdAt: number;
  /** Set where this is no line: so many lines were logged here and not kept. */
  readonly left?: number;
}

/** Whether a reader of a job's log goes on with it, and what ends the reading. */
export interface JobLogsOptions {
  /** Go on until the job has ended. Default: end with what there is. */
  readonly follow?: boolean;
  /** Ends the reading, which rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A look is one small request of the stream's leader. Nothing is missed between two looks. */
const LOOK_AGAIN_MS = 500;

/**
 * What handlers logged in a job and nodes kept, in the order in which it was written; of all
 * enqueues of its id, unless the job is known better. Opens nothing before it is read from, and
 * `return()` ends it at once.
 *
 * @throws MillraceError `connection-closed`, `permission-denied` …; the signal's reason
 */
export function readJobLogs(
  broker: Broker,
  job: AwaitedJob,
  clock: Clock,
  { follow = false, signal }: JobLogsOptions,
): AsyncIterableIterator<JobLogEntry, void, undefined> {
  const ending = new Ending(clock, signal);
  return endsAtOnce(entries(broker, job, clock, follow, ending), () => ending.leave(), {
    ...{ signal, atSignal: "rejects" },
  });
}

async function* entries(
  broker: Broker,
  job: AwaitedJob,
  clock: Clock,
  follow: boolean,
  ending: Ending,
): AsyncGenerator<JobLogEntry, void, undefined> {
  ending.begin();
  const wait = follow ? new ResultWait(broker, job, clock) : undefined;
  wait?.ended.then(
    () => ending.jobEnded(),
    (error: unknown) => ending.fail(error),
  );
  let after = 0;
  try {
    for (;;) {
      // Asked before the look: a job that has ended by then has written its last page.
      const isLast = !follow || ending.mayEnd;
      const pages = await look(broker, job, after, follow);
      for (const page of pages ?? []) {
        after = page.position;
        if (job.createdAt === undefined || page.createdAt === job.createdAt) yield* entriesOf(page);
      }
      if (pages?.length === 0 && isLast) return;
      if (pages === undefined || pages.length === 0) await ending.rest();
      ending.check();
      if (ending.isLeft) return;
    }
  } finally {
    wait?.stop();
    ending.close();
  }
}

/** @returns undefined in an outage, which only delays who follows */
async function look(
  broker: Broker,
  job: AwaitedJob,
  after: number,
  follow: boolean,
): Promise<readonly StoredLogPage[] | undefined> {
  try {
    return await broker.jobLogs.read(job, { after });
  } catch (error) {
    if (follow && MillraceError.is(error) && !HOPELESS.has(error.code)) return undefined;
    throw error;
  }
}

function* entriesOf({
  lines,
  left,
  attempt,
  node,
  token,
  createdAt,
}: StoredLogPage): Generator<JobLogEntry, void, undefined> {
  for (const line of lines) yield { ...line, attempt, node, token, createdAt };
  if (left === undefined) return;
  const at = lines.at(-1)?.at ?? createdAt;
  const message = `${left} more ${left === 1 ? "line was" : "lines were"} not kept`;
  yield { ...{ at, level: "warn", message, left }, ...{ attempt, node, token, createdAt } };
}

/** Why the reading ends, and the rest between two looks. */
class Ending {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.fail(this.#signal?.reason);
  #state: "open" | "job-ended" | "left" | { readonly error: unknown } = "open";
  /** Looks that were begun after the job's end. */
  #rests = 0;
  #timer: Timer | undefined;
  #wake: () => void = () => {};

  constructor(clock: Clock, signal: AbortSignal | undefined) {
    this.#clock = clock;
    this.#signal = signal;
  }

  /** The last page is published beside the end, and may be stored a moment after it. */
  get mayEnd(): boolean {
    return this.#state === "job-ended" && this.#rests > 0;
  }

  get isLeft(): boolean {
    return this.#state === "left";
  }

  begin(): void {
    this.#signal?.throwIfAborted();
    this.#signal?.addEventListener("abort", this.#abort, { once: true });
  }

  jobEnded(): void {
    if (this.#state === "open") this.#state = "job-ended";
  }

  fail(error: unknown): void {
    if (this.#state === "left") return;
    this.#state = { error };
    this.#wake();
  }

  leave(): void {
    this.#state = "left";
    this.#wake();
  }

  check(): void {
    if (typeof this.#state === "object") throw this.#state.error;
  }

  async rest(): Promise<void> {
    const hasEnded = this.#state === "job-ended";
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.#state === "open" || hasEnded)
        this.#timer = this.#clock.setTimer(LOOK_AGAIN_MS, resolve);
      else resolve();
    });
    this.#timer?.cancel();
    if (hasEnded) this.#rests += 1;
  }

  close(): void {
    this.#timer?.cancel();
    this.#signal?.removeEventListener("abort", this.#abort);
  }
}
