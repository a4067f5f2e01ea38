import {
  type AnyJob,
  type AttemptTrace,
  type Envelope,
  type FinalState,
  GuardedTrace,
  type Instrumentation,
  recordError,
  type Settlement,
  type SettlementInput,
  type StartedAttempt,
} from "@millrace/core";
import type { ExecutionHost } from "./execution-host.ts";

/** What an execution knows of an attempt that begins. */
interface Beginning {
  readonly envelope: Envelope;
  readonly job: AnyJob;
  readonly waitedMs: number;
  readonly limitedMs: number | undefined;
  readonly singletonToken: number | undefined;
}

export function traceAttempt(
  host: ExecutionHost,
  instrumentation: Instrumentation,
  { envelope, job, waitedMs, limitedMs, singletonToken }: Beginning,
): AttemptTrace | undefined {
  const { node, broker } = host;
  const started: { -readonly [K in keyof StartedAttempt]: StartedAttempt[K] } = {
    envelope,
    job,
    node,
    maxAttempts: envelope.maxAttempts ?? job.retry.attempts,
    waitedMs,
    endpoint: () => broker.endpoint,
  };
  if (limitedMs !== undefined) started.limitedMs = limitedMs;
  if (singletonToken !== undefined) started.singletonToken = singletonToken;
  const onTrouble = (error: unknown): void => reportTrouble(host, error);
  try {
    const trace = instrumentation.attempt(started);
    return trace === undefined ? undefined : new GuardedTrace(trace, onTrouble);
  } catch (error) {
    onTrouble(error);
    return undefined;
  }
}

/**
 * The trace of a job that never ran has only the end. That it was blocked, deferred or handed back
 * says nothing about the job.
 */
export function traceEndUnrun(
  host: ExecutionHost,
  instrumentation: Instrumentation,
  input: SettlementInput,
  settlement: Settlement,
): void {
  if (!ENDS.has(settlement.state)) return;
  try {
    instrumentation.ended(input, settlement);
  } catch (error) {
    reportTrouble(host, error);
  }
}

const ENDS: ReadonlySet<FinalState> = new Set(["dead", "expired", "cancelled"]);

function reportTrouble(host: ExecutionHost, error: unknown): void {
  host.log.error({ error: recordError(error) }, "the instrumentation threw");
}
