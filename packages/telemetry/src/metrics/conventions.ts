import type { CounterName, HistogramName, MetricLabels } from "@millrace/core";

/**
 * The instruments of OpenTelemetry's conventions for messaging, each fed by one of ours. The
 * conventions are in development, so their names stand here and not in a dependency.
 */
export interface Convention<Source> {
  readonly name: string;
  readonly source: Source;
  readonly unit: string;
  readonly description: string;
  readonly operation: Readonly<Record<string, string>>;
}

const PUBLISH = { "messaging.operation.name": "publish", "messaging.operation.type": "send" };
const PROCESS = { "messaging.operation.name": "process", "messaging.operation.type": "process" };

export const CONVENTION_HISTOGRAMS: readonly Convention<HistogramName>[] = [
  {
    name: "messaging.process.duration",
    source: "millrace_job_duration_seconds",
    unit: "s",
    description: "Duration of processing operation.",
    operation: PROCESS,
  },
  {
    name: "messaging.client.operation.duration",
    source: "millrace_publish_duration_seconds",
    unit: "s",
    description: "Duration of messaging operation initiated by a producer or consumer client.",
    operation: PUBLISH,
  },
];

export const CONVENTION_COUNTERS: readonly Convention<CounterName>[] = [
  {
    name: "messaging.client.sent.messages",
    source: "millrace_jobs_enqueued_total",
    unit: "{message}",
    description: "Number of messages producer attempted to send to the broker.",
    operation: PUBLISH,
  },
  {
    name: "messaging.client.consumed.messages",
    source: "millrace_deliveries_total",
    unit: "{message}",
    description: "Number of messages that were delivered to the application.",
    operation: PROCESS,
  },
];

/** Outcomes that are no error, in the words of the sources' `outcome`. */
const WELL: ReadonlySet<string> = new Set([
  "succeeded",
  "stored",
  "snoozed",
  "interrupted",
  "cancelled",
]);

export function conventionAttributes(
  { operation }: Pick<Convention<unknown>, "operation">,
  { queue, outcome, millrace_namespace: namespace }: MetricLabels,
): Readonly<Record<string, string>> {
  return {
    "messaging.system": "nats",
    ...operation,
    ...(queue === undefined ? {} : { "messaging.destination.name": queue }),
    ...(namespace === undefined ? {} : { "millrace.namespace": namespace }),
    ...(outcome === undefined || WELL.has(outcome) ? {} : { "error.type": outcome }),
  };
}
