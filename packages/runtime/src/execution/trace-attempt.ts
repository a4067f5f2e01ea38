import type {
  AnyJob,
  AttemptTrace,
  Envelope,
  FinalState,
  Instrumentation,
  StartedAttempt,
} from "@millrace/core";
import type { ExecutionHost } from "./execution-host.ts";

/** What an execution knows of an attempt that begins. */
interface Beginning {
  readonly envelope: Envelope;
  readonly job: AnyJob;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly gatedMs: number | undefined;
  readonly singletonToken: number | undefined;
}

export function traceAttempt(
  { node, broker }: ExecutionHost,
  instrumentation: Instrumentation,
  { envelope, job, startedAt, gatedMs, singletonToken }: Beginning,
): AttemptTrace | undefined {
  const started: { -readonly [K in keyof StartedAttempt]: StartedAttempt[K] } = {
    envelope,
    job,
    node,
    maxAttempts: envelope.maxAttempts ?? job.retry.attempts,
    waitedMs: Math.max(0, startedAt - Math.max(envelope.createdAt, envelope.notBefore ?? 0)),
    endpoint: () => broker.endpoint,
  };
  if (gatedMs !== undefined) started.gatedMs = gatedMs;
  if (singletonToken !== undefined) started.singletonToken = singletonToken;
  return instrumentation.attempt(started);
}

/** Of a job that never ran, only the end is told: that it was held, deferred or handed back says nothing about the job. */
export function isEndUnrun(state: FinalState): boolean {
  return state === "dead" || state === "expired" || state === "cancelled";
}
