import {
  type CallEntry,
  type JournalEntry,
  noMetrics,
  type StepRef,
  type WaitEntry,
} from "@millrace/core";
import { jobLabels } from "../../metrics/job-labels.ts";
import type { ExecutionHost } from "../execution-host.ts";
import { quietly } from "../report.ts";
import type { JobStepsOptions } from "./job-steps-options.ts";

type Options = Pick<JobStepsOptions, "host" | "envelope" | "trace">;
type AnyWait = WaitEntry | CallEntry;

/** What metrics and a trace hear of the steps of one attempt. */
export class StepReports {
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Surrounds a step that is run, from its function's start to its record. */
  run<Result>(step: StepRef, work: () => Promise<Result>): Promise<Result> {
    const { trace } = this.#options;
    return trace?.step === undefined ? work() : trace.step(step, work);
  }

  /**
   * A wait is over.
   *
   * @param before what was on record until then
   */
  waited(entry: AnyWait, before: JournalEntry | undefined): void {
    const outcome = outcomeOfWait(entry);
    const wasOpen = before === undefined || !isWait(before) || outcomeOfWait(before) === undefined;
    if (outcome === undefined || !wasOpen) return;
    const { name, n, kind, at: endedAt } = entry;
    this.#options.trace?.waited?.({
      ...{ name, n, kind, outcome, startedAt: before?.at ?? endedAt, endedAt },
      ...(entry.kind === "call" ? { child: entry.child } : {}),
    });
  }

  /** It was on record when it was asked for. */
  replayed(): void {
    this.#count((metrics, byJob) => metrics.increment("millrace_steps_replayed_total", byJob));
  }

  /** @param isFirst nothing was on record of it */
  recorded(entry: JournalEntry, isFirst: boolean): void {
    const begins = isFirst || beginsAnew(entry);
    const outcome = outcomeOfWait(entry);
    this.#count((metrics, byJob) => {
      if (begins) metrics.increment("millrace_steps_recorded_total", byJob);
      if (begins && isWait(entry)) metrics.increment("millrace_step_waits_begun_total", byJob);
      if (outcome !== undefined)
        metrics.increment("millrace_step_waits_ended_total", { ...byJob, outcome });
    });
  }

  #count(say: (metrics: ExecutionHost["metrics"], byJob: ByJob) => void): void {
    const { host, envelope } = this.#options;
    const { metrics, registry } = host;
    if (metrics === noMetrics) return;
    quietly(host, () => say(metrics, jobLabels(registry, envelope).byJob));
  }
}

type ByJob = ReturnType<typeof jobLabels>["byJob"];

function isWait({ kind }: JournalEntry): boolean {
  return kind === "wait" || kind === "call";
}

/** In the place of a failure that an earlier life of the job left. */
function beginsAnew(entry: JournalEntry): boolean {
  if (entry.kind === "call") return entry.state === "calling" && !entry.isEnqueued;
  return entry.kind === "run";
}

function outcomeOfWait(entry: JournalEntry): "signalled" | "called" | "timed-out" | undefined {
  if (entry.kind === "wait") return entry.state === "waiting" ? undefined : entry.state;
  if (entry.kind !== "call" || entry.state === "calling") return undefined;
  return entry.state === "ended" ? "called" : "timed-out";
}
