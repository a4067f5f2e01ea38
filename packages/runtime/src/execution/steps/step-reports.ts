import { type Envelope, type JournalEntry, noMetrics } from "@millrace/core";
import { jobLabels } from "../../metrics/job-labels.ts";
import type { ExecutionHost } from "../execution-host.ts";
import { quietly } from "../report.ts";

/** What metrics hear of the steps of one attempt. */
export class StepReports {
  readonly #host: ExecutionHost;
  readonly #envelope: Envelope;

  constructor({ host, envelope }: { readonly host: ExecutionHost; readonly envelope: Envelope }) {
    this.#host = host;
    this.#envelope = envelope;
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
    const { metrics, registry } = this.#host;
    if (metrics === noMetrics) return;
    quietly(this.#host, () => say(metrics, jobLabels(registry, this.#envelope).byJob));
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

function outcomeOfWait(entry: JournalEntry): string | undefined {
  if (entry.kind === "wait") return entry.state === "waiting" ? undefined : entry.state;
  if (entry.kind !== "call" || entry.state === "calling") return undefined;
  return entry.state === "ended" ? "called" : "timed-out";
}
