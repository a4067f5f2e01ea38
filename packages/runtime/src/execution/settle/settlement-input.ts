import {
  MillraceError,
  NO_RETRY,
  type Outcome,
  recordError,
  type RetryPolicy,
  settle,
  type Settlement,
  type SettlementInput,
} from "@millrace/core";
import type { Admission } from "../admission.ts";
import type { Attempt } from "../attempt/attempt.ts";
import type { RunReport } from "../attempt/run-report.ts";
import type { ExecutionHost } from "../execution-host.ts";
import type { JobInHand } from "../job-in-hand.ts";
import { maskOutcome } from "./mask-outcome.ts";
import { takenResult } from "./taken-result.ts";

/** What a settlement is made from beside the job. Everything but the outcome may be missing. */
export interface Ended {
  readonly outcome: Outcome;
  readonly admission: Pick<Admission, "definition" | "recall"> | undefined;
  readonly attempt: Pick<Attempt, "children" | "stepCount"> | undefined;
  readonly report: Pick<RunReport, "trace" | "startedAt" | "startedMono" | "waitedMs"> | undefined;
}

type Input = { -readonly [K in keyof SettlementInput]: SettlementInput[K] };

/** How a job is settled, and from what: its outcome, its policy, and what is known of its run. */
export function settlementOf(
  of: JobInHand,
  ended: Ended,
): { readonly input: SettlementInput; readonly settlement: Settlement } {
  const { host } = of;
  const input = inputOf(of, ended);
  const settlement = decide(input, host);
  if (settlement.state !== "requeued") return { input, settlement };
  const cancellation = host.cancellations.of(input.envelope);
  if (cancellation === undefined) return { input, settlement };
  // It would only be cancelled when it comes again, which may be much later.
  input.outcome = { kind: "cancelled", reason: cancellation.reason };
  return { input, settlement: settle(input) };
}

/**
 * Whatever the job's retry policy does: it may put the job off for too long, which is then as long
 * as a job may be put off. It may be the user's code, and throw: then the attempt is still counted,
 * and the job is not tried again.
 *
 * @throws MillraceError `illegal-transition`: a defect of the runtime, not of the policy
 */
function decide(input: SettlementInput, { broker, log }: ExecutionHost): Settlement {
  const { envelope, outcome, policy } = input;
  const asks = outcome.kind === "failed" || outcome.kind === "timed-out";
  try {
    return settle(asks ? { ...input, policy: bounded(policy, broker.maxDelayMs) } : input);
  } catch (error) {
    if (MillraceError.is(error, "illegal-transition")) throw error;
    log.error(
      { job: envelope.id, error: recordError(error) },
      "the retry policy threw; the job is not tried again",
    );
    return settle({ ...input, policy: NO_RETRY });
  }
}

function bounded(policy: RetryPolicy, maxDelayMs: number): RetryPolicy {
  return {
    attempts: policy.attempts,
    delayMs: (question) => {
      const delayMs = policy.delayMs(question);
      return delayMs === "never" ? delayMs : Math.min(delayMs, maxDelayMs);
    },
  };
}

function inputOf({ delivery, envelope, host }: JobInHand, ended: Ended): Input {
  const { clock, maskText, node, random, registry } = host;
  const { outcome, admission, attempt, report } = ended;
  const startedAt = report?.startedAt;
  const input: Input = {
    envelope,
    message: delivery.message,
    deliveryCount: delivery.deliveryCount,
    from: startedAt === undefined ? "queued" : "running",
    outcome: maskText === undefined ? outcome : maskOutcome(outcome, maskText),
    policy: admission?.definition?.retry ?? NO_RETRY,
    now: clock.now(),
    random: random(),
    node,
  };
  const children = attempt?.children;
  if (children !== undefined) input.children = children;
  const stepCount = attempt?.stepCount;
  if (stepCount !== undefined) input.stepCount = stepCount;
  const traceId = report?.trace?.traceId;
  if (traceId !== undefined) input.traceId = traceId;
  if (report !== undefined && startedAt !== undefined) {
    input.startedAt = startedAt;
    input.waitedMs = report.waitedMs;
    input.durationMs = Math.round((clock.monotonic() - report.startedMono) * 1_000) / 1_000;
  }
  const definition = admission?.definition ?? registry.get(envelope.name, envelope.queue);
  if (definition?.outcomes !== undefined) input.outcomeJobs = definition.outcomes;
  input.outcome = takenResult(input.outcome, input);
  const sharedSince = admission?.recall?.sharedSince ?? sharedUnseen(host, delivery, input);
  if (sharedSince !== undefined) input.sharedSince = sharedSince;
  return input;
}

/**
 * It is handed back or sent to wait, and a server that was killed may have handed it to another
 * before: nobody has looked what became of it there.
 */
function sharedUnseen(
  { recentEnds }: JobInHand["host"],
  { message }: JobInHand["delivery"],
  { from, outcome }: Input,
): number | undefined {
  const goesOn =
    outcome.kind === "interrupted" || outcome.kind === "blocked" || outcome.kind === "deferred";
  const isElsewhere = outcome.kind === "deferred" && outcome.elsewhere === true;
  return from === "queued" && goesOn && (isElsewhere || recentEnds.reachesBack(message))
    ? Math.floor(message.storedAt)
    : undefined;
}

/**
 * Nothing is to be asked of a job that nobody else can have had, nor of one whose end was found. A
 * job that is sent to wait and was not asked about is asked about when it comes again.
 */
export function isToBeAsked(
  { sharedSince, outcome }: Pick<SettlementInput, "sharedSince" | "outcome">,
  admission: Pick<Admission, "recall"> | undefined,
): boolean {
  switch (outcome.kind) {
    case "recalled":
    case "buried":
    case "lease-lost":
      return false;
    case "blocked":
    case "deferred":
      return admission?.recall?.sharedSince !== undefined;
    default:
      return sharedSince !== undefined;
  }
}
