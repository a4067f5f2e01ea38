import type { Envelope, Settlement, SettlementInput } from "@millrace/core";
import type { ExecutionHost } from "./execution-host.ts";

/** What the rest of the world hears of an execution: events, metrics, the execution log. After the fact, and never in its way. */

export function reportStarted(host: ExecutionHost, envelope: Envelope, startedAt: number): void {
  const waitedMs = Math.max(0, startedAt - Math.max(envelope.createdAt, envelope.notBefore ?? 0));
  if (envelope.generation === 0) {
    host.metrics.observe(
      "job_schedule_to_start_seconds",
      { queue: envelope.queue, job: envelope.name },
      waitedMs / 1_000,
    );
  }
  if (host.events.has("job.started"))
    host.events.emit("job.started", { ...idOf(envelope), waitedMs });
}

export function reportRedelivered(
  host: ExecutionHost,
  envelope: Envelope,
  deliveryCount: number,
): void {
  host.metrics.increment("redeliveries_total", { queue: envelope.queue });
  host.events.emit("job.redelivered", { ...idOf(envelope), deliveryCount });
}

export function reportSettled(
  host: ExecutionHost,
  input: SettlementInput,
  settlement: Settlement,
): void {
  count(host, input, settlement);
  const { envelope, outcome, durationMs } = input;
  for (const step of settlement.steps) {
    if (step.do === "record") host.executionLog.record(step.record);
  }
  if (settlement.state === "abandoned") host.events.emit("lease.lost", idOf(envelope));
  if (!host.events.has("job.settled")) return;
  host.events.emit("job.settled", {
    ...idOf(envelope),
    state: settlement.state,
    outcome: settlement.state === "abandoned" ? "lease-lost" : outcome.kind,
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(settlement.notBefore === undefined ? {} : { notBefore: settlement.notBefore }),
    ...(settlement.reason === undefined ? {} : { reason: settlement.reason }),
    ...("error" in outcome ? { error: outcome.error } : {}),
  });
}

function count(
  { metrics }: ExecutionHost,
  { envelope, outcome, durationMs }: SettlementInput,
  settlement: Settlement,
): void {
  const labels = { queue: envelope.queue, job: envelope.name };
  if (durationMs !== undefined) metrics.observe("job_duration_seconds", labels, durationMs / 1_000);
  if (outcome.kind === "failed" || outcome.kind === "timed-out")
    metrics.increment("jobs_failed_total", labels);
  switch (settlement.state) {
    case "succeeded":
      metrics.increment("jobs_succeeded_total", labels);
      break;
    case "requeued":
      metrics.increment("jobs_requeued_total", labels);
      break;
    case "dead":
    case "expired":
      metrics.increment("jobs_dead_total", {
        ...labels,
        reason: settlement.reason ?? "attempts-exhausted",
      });
      break;
    case "cancelled":
      metrics.increment("jobs_cancelled_total", labels);
      break;
    case "abandoned":
      metrics.increment("leases_lost_total", { queue: envelope.queue });
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
