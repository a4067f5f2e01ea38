import {
  type AnyJob,
  checkProgress,
  runnableAt,
  type RunningJob,
  tickOriginOf,
  traceIdOf,
} from "@millrace/core";
import type { JobInHand } from "../job-in-hand.ts";
import { reportStarted } from "../report.ts";
import { traceAttempt } from "../trace-attempt.ts";
import { ProgressReporter } from "./progress-reporter.ts";

/** The attempt is under way from here on: takes its times, and tells of its start. */
export function attemptStarted(of: JobInHand, job: AnyJob): void {
  const { host, limitedSince } = of;
  const { clock, instrumentation } = host;
  of.startedAt = clock.now();
  of.startedMono = clock.monotonic();
  of.waitedMs = waitedMs(of, of.startedAt);
  reportStarted(of, of.waitedMs);
  if (instrumentation === undefined) return;
  of.trace = traceAttempt(host, instrumentation, {
    envelope: of.envelope,
    job,
    waitedMs: of.waitedMs,
    limitedMs: limitedSince === undefined ? undefined : of.startedMono - limitedSince,
    singletonToken: of.entered?.token,
  });
}

/**
 * Since the attempt could have started. A message that comes again was lost by a holder, which may
 * have run it: when its lease ended nobody knows here, so it waits since it came.
 */
function waitedMs({ envelope, delivery, cameAt }: JobInHand, startedAt: number): number {
  const since = runnableAt(envelope);
  const from = delivery.deliveryCount > 1 ? Math.max(since, cameAt) : since;
  return Math.max(0, startedAt - from);
}

/**
 * A handler that goes on after its attempt is over is told what is wrong, and otherwise not heard.
 */
export function handlerReported(of: JobInHand, value: number, note: string | undefined): void {
  const { host, envelope, abort, phase, trace } = of;
  if (phase !== "attempting" || abort.look()?.code === "lease-lost")
    return void checkProgress(value, note);
  of.progress ??= new ProgressReporter(host, envelope, trace);
  of.progress.report(value, note);
}

/** What a node answers when asked who runs the job; undefined where its handler does not run. */
export function runningJob(of: JobInHand): RunningJob | undefined {
  const { host, phase, startedAt, delivery } = of;
  if (startedAt === undefined || phase === "settled" || phase === "ended") return undefined;
  // Not before: one that waits for memory has not been read yet.
  const { envelope } = of;
  const leadership = tickOriginOf(envelope)?.token;
  const traceId = of.trace?.traceId ?? traceIdOf(envelope.headers);
  const gates = of.entered?.gates ?? [];
  return {
    id: envelope.id,
    queue: envelope.queue,
    name: envelope.name,
    node: host.node,
    attempt: envelope.attempts + 1,
    startedAt,
    createdAt: envelope.createdAt,
    ...(delivery.deliveryCount > 1 ? { deliveries: delivery.deliveryCount } : {}),
    ...(leadership === undefined ? {} : { leadership }),
    ...(traceId === undefined ? {} : { traceId }),
    ...(gates.length === 0 ? {} : { gates }),
  };
}
