import type { TracerProvider } from "@opentelemetry/api";
import {
  type Duration,
  MillraceError,
  optionNames,
  refuseUnknown,
  toMs,
  shownValue,
} from "@millrace/core";

/**
 * How an attempt's span relates to the span that its job was created in: it is its child, in the
 * same trace; it has a trace of its own with a link to it; or nothing is written to a job's headers
 * and nothing is read from them.
 */
export type Propagation = "parent" | "link" | "none";

/** How traces go on from a request to its jobs, and who takes the spans. */
export interface TelemetryOptions {
  /** Default `"parent"`: one trace a job, from the request that enqueued it to its last attempt. */
  readonly propagation?: Propagation;
  /**
   * A `create` span for each job of a bulk enqueue. Default true; without them all jobs of a bulk
   * share the `publish` span.
   */
  readonly createSpans?: boolean;
  /**
   * A `queued` span for the time that an attempt waited for a worker or at a limit, where that is
   * at least so long. Default 100 ms; `false` for none. Only with `propagation: "parent"`, and
   * where the job's creation is in its trace: it hangs beside the attempt.
   */
  readonly queuedSpans?: Duration | false;
  /** Default: the one that the application has registered. */
  readonly tracerProvider?: TracerProvider;
}

export interface TelemetryConfig {
  readonly propagation: Propagation;
  readonly createSpans: boolean;
  /** Waits of fewer milliseconds have no span. */
  readonly queuedSpansMs: number;
  readonly tracerProvider: TracerProvider | undefined;
}

const NAMES = optionNames<TelemetryOptions>({
  propagation: true,
  createSpans: true,
  queuedSpans: true,
  tracerProvider: true,
});

/** @throws MillraceError `invalid-option`, `invalid-duration` */
export function telemetryConfig(options: TelemetryOptions): TelemetryConfig {
  refuseUnknown(options, NAMES, "telemetry()");
  const { propagation = "parent", createSpans = true, queuedSpans = 100, tracerProvider } = options;
  if (!["parent", "link", "none"].includes(propagation))
    throw new MillraceError(
      "invalid-option",
      `propagation: must be "parent", "link" or "none"; got ${shownValue(propagation)}.`,
    );
  if (typeof createSpans !== "boolean")
    throw new MillraceError(
      "invalid-option",
      `createSpans: must be true or false; got ${shownValue(createSpans)}.`,
    );
  const queuedSpansMs =
    queuedSpans === false ? Number.POSITIVE_INFINITY : toMs(queuedSpans, "queuedSpans");
  return { propagation, createSpans, queuedSpansMs, tracerProvider };
}
