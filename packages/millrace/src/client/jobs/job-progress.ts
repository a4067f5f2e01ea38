import {
  type Broker,
  type Clock,
  MillraceError,
  type ProgressReport,
  type Stoppable,
} from "@millrace/core";
import { endsAtOnce } from "./results/ends-at-once.ts";
import { HOPELESS } from "./hopeless.ts";
import { ResultWait } from "./results/job-result.ts";
import type { AwaitedJob } from "./results/awaited-job.ts";

const LOOK_AGAIN_MS = 1_000;

/**
 * What a job's handlers report, from the latest on, until the job has ended. A reader that is
 * slower than the handler is given the latest only. Opens nothing before it is read from, and lets
 * go of all it holds when the reading ends: `return()` ends it at once, also while a report is
 * waited for.
 *
 * @throws MillraceError `job-not-found` where nobody knows the job, as of `awaitResult`;
 *   `connection-closed`, `permission-denied` …; the signal's reason
 */
export function followProgress(
  broker: Broker,
  job: AwaitedJob,
  clock: Clock,
  signal?: AbortSignal,
): AsyncIterableIterator<ProgressReport, void, undefined> {
  const mailbox = new Mailbox();
  return endsAtOnce(read(broker, job, clock, mailbox, signal), () => mailbox.end(), {
    ...{ signal, atSignal: "rejects" },
  });
}

async function* read(
  broker: Broker,
  job: AwaitedJob,
  clock: Clock,
  mailbox: Mailbox,
  signal: AbortSignal | undefined,
): AsyncGenerator<ProgressReport, void, undefined> {
  signal?.throwIfAborted();
  const wait = new ResultWait(broker, job, clock);
  const abort = (): void => mailbox.fail(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  wait.ended.then(
    () => mailbox.end(),
    (error: unknown) => mailbox.fail(error),
  );
  let following: Stoppable | undefined;
  try {
    following = await open(broker, job, clock, mailbox);
    yield* mailbox.reports();
  } finally {
    signal?.removeEventListener("abort", abort);
    wait.stop();
    // Its connection may be gone, and then it went with it.
    await following?.stop().catch(() => {});
  }
}

/** Follows, then reads. An outage only delays it; the end of the job ends it. */
async function open(
  broker: Broker,
  job: AwaitedJob,
  clock: Clock,
  mailbox: Mailbox,
): Promise<Stoppable | undefined> {
  let following: Stoppable | undefined;
  while (!mailbox.isClosed) {
    try {
      following ??= await broker.progress.follow(job, (report) => mailbox.put(report));
      const latest = await broker.progress.latest(job);
      if (latest !== undefined) mailbox.putFirst(latest);
      return following;
    } catch (error) {
      if (!MillraceError.is(error) || HOPELESS.has(error.code)) {
        await following?.stop();
        throw error;
      }
      await new Promise<void>((resolve) => void clock.setTimer(LOOK_AGAIN_MS, resolve));
    }
  }
  return following;
}

/** Room for one report: a newer one takes the place of what nobody has read yet. */
class Mailbox {
  #waiting: ProgressReport | undefined;
  #last: ProgressReport | undefined;
  #closed: "no" | "ended" | { readonly error: unknown } = "no";
  #wake: () => void = () => {};

  get isClosed(): boolean {
    return this.#closed !== "no";
  }

  put(report: ProgressReport): void {
    // After an outage reports are told once more, and what is read then may be older than what was
    // heard before.
    if (this.#last !== undefined && isNoNewer(report, this.#last)) return;
    this.#last = report;
    this.#waiting = report;
    this.#wake();
  }

  /** What was read, unless something newer was told meanwhile. */
  putFirst(report: ProgressReport): void {
    if (this.#last === undefined) this.put(report);
  }

  end(): void {
    if (this.#closed === "no") this.#closed = "ended";
    this.#wake();
  }

  fail(error: unknown): void {
    if (this.#closed === "no") this.#closed = { error };
    this.#wake();
  }

  async *reports(): AsyncGenerator<ProgressReport, void, undefined> {
    for (;;) {
      const report = this.#waiting;
      this.#waiting = undefined;
      if (report !== undefined) yield report;
      else if (this.#closed === "ended") return;
      else if (this.#closed !== "no") throw this.#closed.error;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/**
 * The times of one run only grow. Those of two nodes can't be compared, so what another node says
 * is taken as it comes.
 */
function isNoNewer(report: ProgressReport, last: ProgressReport): boolean {
  return report.node === last.node && report.attempt === last.attempt && report.at <= last.at;
}
