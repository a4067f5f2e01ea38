import {
  type InboxMessage,
  type LabelsOf,
  type Logger,
  type MachineDocument,
  type MetricsCollector,
  noMetrics,
  recordError,
} from "@millrace/core";

export interface MachineReportsOptions {
  readonly machine: string;
  readonly metrics: MetricsCollector;
  readonly log: Logger;
}

type EventLabels = LabelsOf<"millrace_machine_events_total">;
/** What became of something that came to a machine. */
export type MachineOutcome = "taken" | "repeated" | "failed" | "dropped";

/** What metrics hear of the machines of one name. */
export class MachineReports {
  readonly #options: MachineReportsOptions;
  readonly #byMachine: { readonly machine: string };
  /** A collector finds its series by the very object. */
  readonly #labels = new Map<string, EventLabels>();

  constructor(options: MachineReportsOptions) {
    this.#options = options;
    this.#byMachine = { machine: options.machine };
  }

  /** A document was written for a message. */
  stored(
    { kind }: InboxMessage,
    before: MachineDocument | undefined,
    document: MachineDocument,
    outcome: MachineOutcome,
  ): void {
    this.#count((metrics) => {
      if (kind !== "tick") this.#event(metrics, kind, outcome);
      else if (outcome === "taken" || outcome === "failed") {
        this.#event(metrics, "timer", outcome);
        metrics.increment("millrace_machine_timers_fired_total", this.#byMachine);
      }
      const invoked = document.invoked - (before?.invoked ?? 0);
      if (invoked > 0)
        metrics.increment("millrace_machine_jobs_invoked_total", this.#byMachine, invoked);
    });
  }

  /** Nobody has started the machine that it was for. */
  dropped({ kind }: InboxMessage): void {
    if (kind !== "tick") this.#count((metrics) => this.#event(metrics, kind, "dropped"));
  }

  /** Another host has written first. */
  conflict(): void {
    this.#count((metrics) =>
      metrics.increment("millrace_machine_conflicts_total", this.#byMachine),
    );
  }

  #event(metrics: MetricsCollector, kind: string, outcome: MachineOutcome): void {
    const key = `${kind} ${outcome}`;
    let labels = this.#labels.get(key);
    if (labels === undefined)
      this.#labels.set(key, (labels = { machine: this.#options.machine, kind, outcome }));
    metrics.increment("millrace_machine_events_total", labels);
  }

  #count(say: (metrics: MetricsCollector) => void): void {
    const { metrics, log } = this.#options;
    if (metrics === noMetrics) return;
    try {
      say(metrics);
    } catch (error) {
      log.error({ error: recordError(error) }, "the metrics collector threw");
    }
  }
}

/** Told by what was written. A tick that came in vain looks like one that repeats. */
export function outcomeOf(
  { kind }: Pick<InboxMessage, "kind">,
  before: MachineDocument | undefined,
  after: MachineDocument,
): MachineOutcome {
  // A chart that fails in its very beginning is stored as failed.
  if (before === undefined) return after.status === "error" ? "failed" : "taken";
  if (after.trouble !== before.trouble) return "failed";
  if (after.trail.at(-1) !== before.trail.at(-1)) return "taken";
  return before.status === "active" || kind === "start" ? "repeated" : "dropped";
}
