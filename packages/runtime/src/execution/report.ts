import {
  type AttemptTrace,
  type Envelope,
  type Events,
  noExecutionLog,
  noMetrics,
  recordError,
  type SettledExecution,
  type Settlement,
  type SettlementInput,
  type SettlementStep,
  storedPayload,
} from "@millrace/core";
import { jobLabels } from "../metrics/job-labels.ts";
import type { ExecutionHost } from "./execution-host.ts";
import type { JobInHand } from "./job-in-hand.ts";
import { traceEndUnrun } from "./trace-attempt.ts";

/**
 * What the rest of the world hears of an execution: events, metrics, the execution log. After the
 * fact, and never in its way: a collector or a log that throws although it must not costs a log
 * line, never a job.
 */

export function reportStarted({ host, envelope, delivery }: JobInHand, waitedMs: number): void {
  if (host.metrics !== noMetrics && delivery.deliveryCount === 1)
    quietly(host, () => observeWait(host, envelope, waitedMs));
  if (host.events.has("job.started"))
    host.events.emit("job.started", { ...idOf(envelope), waitedMs });
}

export function reportRedelivered(
  host: ExecutionHost,
  envelope: Envelope,
  deliveryCount: number,
): void {
  quietly(host, () =>
    host.metrics.increment(
      "millrace_redeliveries_total",
      jobLabels(host.registry, envelope).byQueue,
    ),
  );
  host.events.emit("job.redelivered", { ...idOf(envelope), deliveryCount });
}

/** The broker could not do what it was asked; it is asked again. */
export function reportTrouble(
  host: ExecutionHost,
  envelope: Envelope,
  error: unknown,
  trace: AttemptTrace | undefined,
): void {
  trace?.event("settlement.failed", { "error.type": recordError(error).type });
  host.events.emit("settlement.failed", { ...idOf(envelope), error: recordError(error) });
}

export function reportIgnoredAbort(host: ExecutionHost, envelope: Envelope): void {
  host.events.emit("handler.ignored-abort", idOf(envelope));
}

export function reportSettled(
  { host, trace }: JobInHand,
  input: SettlementInput,
  settlement: Settlement,
): void {
  if (host.metrics !== noMetrics) quietly(host, () => count(host, input, settlement));
  recordSteps(host, settlement.steps, input, trace?.traceId);
  quietly(host, () => {
    if (host.executionLog === noExecutionLog) return;
    if (settlement.state === "abandoned" && input.startedAt !== undefined)
      host.executionLog.record(abandonedExecution(input), asDelivered(input), trace?.traceId);
  });
  const { envelope, outcome } = input;
  if (settlement.state !== "succeeded")
    quietly(host, () => host.failures.settled(envelope, outcome, settlement));
  if (settlement.state === "abandoned") host.events.emit("lease.lost", idOf(envelope));
  if (host.events.has("job.settled")) emitSettled(host, input, settlement);
  if (trace !== undefined) trace.settled(input, settlement);
  else if (host.instrumentation !== undefined)
    traceEndUnrun(host, host.instrumentation, input, settlement);
}

function emitSettled(
  { events }: ExecutionHost,
  { envelope, outcome, durationMs }: SettlementInput,
  settlement: Settlement,
): void {
  const event: { -readonly [K in keyof Events["job.settled"]]: Events["job.settled"][K] } = {
    ...idOf(envelope),
    state: settlement.state,
    outcome: settlement.state === "abandoned" ? "lease-lost" : outcome.kind,
  };
  if (durationMs !== undefined) event.durationMs = durationMs;
  if (settlement.notBefore !== undefined) event.notBefore = settlement.notBefore;
  if (settlement.reason !== undefined) event.reason = settlement.reason;
  if ("error" in outcome) event.error = outcome.error;
  events.emit("job.settled", event);
}

/** What is on record now, for the execution log. */
export function recordSteps(
  host: ExecutionHost,
  steps: readonly SettlementStep[],
  input: SettlementInput,
  traceId?: string,
): void {
  if (host.executionLog === noExecutionLog) return;
  quietly(host, () => {
    for (const step of steps) if (step.do === "record") recordExecution(host, step, input, traceId);
  });
}

/** A job that was to follow and could not has no attempt, and so no trace, of its own. */
function recordExecution(
  { executionLog }: ExecutionHost,
  { record, envelope }: Extract<SettlementStep, { readonly do: "record" }>,
  input: SettlementInput,
  traceId: string | undefined,
): void {
  if (envelope === undefined) executionLog.record(record, asDelivered(input), traceId);
  else executionLog.record(record, envelope);
}

/** What it was given, and not what its handler has made of that. */
function asDelivered(input: SettlementInput): Envelope {
  const { envelope } = input;
  // Nobody can change a text, or nothing.
  if (typeof envelope.payload !== "object" || envelope.payload === null) return envelope;
  return { ...envelope, payload: storedPayload(input) };
}

/** Nothing of it is in the history: whoever holds the job now writes there. */
function abandonedExecution(input: SettlementInput): SettledExecution {
  const { envelope, message, node, now, startedAt, durationMs } = input;
  return {
    id: envelope.id,
    name: envelope.name,
    queue: envelope.queue,
    state: "abandoned",
    outcome: "lease-lost",
    attempts: envelope.attempts,
    generation: envelope.generation,
    sequence: message.sequence,
    node,
    at: now,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(durationMs === undefined ? {} : { durationMs }),
  };
}

export function quietly(host: ExecutionHost, say: () => void): void {
  try {
    say();
  } catch (error) {
    host.log.error(
      { error: recordError(error) },
      "the metrics collector or the execution log threw",
    );
  }
}

/**
 * Later generations wait because they were told to, so only the first says something about the
 * queue; and of that only its first delivery, because another one may follow a run that was lost.
 */
function observeWait(
  { metrics, registry }: ExecutionHost,
  envelope: Envelope,
  waitedMs: number,
): void {
  if (envelope.generation > 0) return;
  metrics.observe(
    "millrace_job_schedule_to_start_seconds",
    jobLabels(registry, envelope).byJob,
    waitedMs / 1_000,
  );
}

function count(
  host: ExecutionHost,
  { envelope, outcome, durationMs }: SettlementInput,
  settlement: Settlement,
): void {
  const { metrics } = host;
  const known = jobLabels(host.registry, envelope);
  const labels = known.byJob;
  metrics.increment("millrace_deliveries_total", known.byQueue);
  if (durationMs !== undefined)
    metrics.observe(
      "millrace_job_duration_seconds",
      known.withOutcome(outcome.kind),
      durationMs / 1_000,
    );
  if (outcome.kind === "failed" || outcome.kind === "timed-out")
    metrics.increment("millrace_jobs_failed_total", labels);
  for (const step of settlement.steps)
    if (step.do === "enqueue")
      metrics.increment(
        "millrace_jobs_enqueued_total",
        jobLabels(host.registry, step.envelope).byJob,
      );
  switch (settlement.state) {
    case "succeeded":
      metrics.increment("millrace_jobs_succeeded_total", labels);
      break;
    case "requeued":
      metrics.increment(
        outcome.kind === "blocked" ? "millrace_jobs_blocked_total" : "millrace_jobs_requeued_total",
        labels,
      );
      break;
    case "dead":
    case "expired":
      metrics.increment("millrace_jobs_dead_total", {
        ...labels,
        reason: settlement.reason ?? "attempts-exhausted",
      });
      break;
    case "cancelled":
      metrics.increment("millrace_jobs_cancelled_total", labels);
      break;
    case "abandoned":
      metrics.increment("millrace_leases_lost_total", known.byQueue);
      break;
    case "recalled":
      break;
  }
}

function idOf(envelope: Envelope): { id: string; name: string; queue: string; attempt: number } {
  return {
    id: envelope.id,
    name: envelope.name,
    queue: envelope.queue,
    attempt: envelope.attempts + 1,
  };
}
