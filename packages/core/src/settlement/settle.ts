import type { Envelope } from "../envelope/envelope.ts";
import type { RecordedError } from "../errors/recorded-error.ts";
import type { ExecutionEffect, ExecutionEvent, FinalState } from "../machine/execution-machine.ts";
import { nextTransition } from "../machine/transition-table.ts";
import { followingSteps } from "./followers.ts";
import { deadLetterOf, historyRecordOf, nextGeneration } from "./settlement-records.ts";
import type { HistoryRecord } from "./history-record.ts";
import type { Outcome } from "./outcome.ts";
import type { DeadReason } from "./dead-reason.ts";
import {
  crashesOf,
  type Settlement,
  type SettlementInput,
  type SettlementStep,
} from "./settlement.ts";

/**
 * Decides what becomes of a job after one delivery of it. Pure: the caller acts.
 * **The one place that increments `attempts`.**
 *
 * @throws MillraceError `illegal-transition` where the outcome can't follow the state
 */
export function settle(input: SettlementInput): Settlement {
  const decision = judge(input);
  const { state, effects } = nextTransition(input.from, decision.event);
  const settlement: Mutable<Settlement> = {
    state: state as FinalState,
    envelope: count(input, decision, effects),
    steps: NO_STEPS,
  };
  const { notBefore } = decision;
  if (state === "requeued") {
    settlement.envelope = nextGeneration(settlement.envelope, input, notBefore);
    if (notBefore !== undefined) settlement.notBefore = notBefore;
  }
  if (state === "dead" || state === "expired") settlement.reason = deadReason(input.outcome);
  settlement.steps = stepsOf(effects, input, settlement);
  return settlement;
}

const NO_STEPS: readonly SettlementStep[] = [];

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * What the policy makes of an outcome: the machine's event, and when a next attempt would be due.
 */
interface PolicyDecision {
  readonly event: ExecutionEvent;
  readonly notBefore?: number;
}

function judge(input: SettlementInput): PolicyDecision {
  const { outcome, now } = input;
  switch (outcome.kind) {
    case "succeeded":
      return { event: { type: "SUCCEED" } };
    case "failed":
      return judgeFailure(input, "FAIL", outcome.error, outcome.retry);
    case "timed-out":
      return judgeFailure(input, "TIMEOUT", outcome.error, "policy");
    case "snoozed":
      return { event: { type: "SNOOZE" }, ...dueIn(outcome.delayMs, now) };
    case "interrupted":
      return { event: { type: "INTERRUPT" }, ...timeAhead(input) };
    case "cancelled":
      return { event: { type: "CANCEL" } };
    case "lease-lost":
      return { event: { type: "LEASE_LOST" } };
    case "deferred":
      return { event: { type: "DEFER" }, notBefore: outcome.untilMs };
    case "blocked":
      return { event: { type: "BLOCK" } };
    case "expired":
      return { event: { type: "EXPIRE" } };
    case "rejected":
      return { event: { type: "REJECT" } };
    case "crashed":
      return { event: { type: "CRASH" } };
    case "buried":
      return { event: { type: outcome.letter.reason === "expired" ? "EXPIRE" : "REJECT" } };
    case "recalled":
      return { event: { type: "RECALL" } };
  }
}

function judgeFailure(
  input: SettlementInput,
  type: "FAIL" | "TIMEOUT",
  error: RecordedError,
  wish: Extract<Outcome, { kind: "failed" }>["retry"],
): PolicyDecision {
  const { envelope, policy, now, random } = input;
  const attempts = envelope.attempts + 1;
  if (wish === "never" || attempts >= (envelope.maxAttempts ?? policy.attempts))
    return { event: { type, retry: false } };
  const delayMs = wish === "policy" ? policy.delayMs({ attempts, error, random }) : wish.afterMs;
  if (delayMs === "never") return { event: { type, retry: false } };
  return { event: { type, retry: true }, ...dueIn(delayMs, now) };
}

function dueIn(delayMs: number, now: number): { notBefore?: number } {
  return delayMs > 0 ? { notBefore: now + Math.ceil(delayMs) } : {};
}

/**
 * A job that is handed back before it could be deferred keeps its start time. One that ran has had
 * it, whatever a clock says now.
 */
function timeAhead({ from, envelope, now }: SettlementInput): { notBefore?: number } {
  return from === "queued" && envelope.notBefore !== undefined && envelope.notBefore > now
    ? { notBefore: envelope.notBefore }
    : {};
}

function count(
  input: SettlementInput,
  { event }: PolicyDecision,
  effects: readonly ExecutionEffect[],
): Envelope {
  const { envelope, outcome } = input;
  const error = "error" in outcome ? outcome.error : undefined;
  const counts = effects.includes("countAttempt");
  const counted: Mutable<Envelope> = {
    ...envelope,
    attempts:
      outcome.kind === "buried" ? outcome.letter.attempts : envelope.attempts + (counts ? 1 : 0),
    // An outcome of the handler shows that the job can end without taking its holder down; anything
    // else leaves the count standing.
    crashes: counts || event.type === "SNOOZE" ? 0 : crashesOf(input),
    interruptions:
      envelope.interruptions + (event.type === "INTERRUPT" && input.from === "running" ? 1 : 0),
    snoozes: envelope.snoozes + (event.type === "SNOOZE" ? 1 : 0),
  };
  if (error !== undefined) {
    counted.firstError = envelope.firstError ?? error;
    counted.lastError = error;
  }
  return counted;
}

function deadReason(outcome: Outcome): DeadReason {
  switch (outcome.kind) {
    case "rejected":
      return outcome.reason;
    case "crashed":
    case "expired":
      return outcome.kind;
    case "buried":
      return outcome.letter.reason;
    case "failed":
      return outcome.retry === "never" ? "fatal" : "attempts-exhausted";
    default:
      return "attempts-exhausted";
  }
}

function stepsOf(
  effects: readonly ExecutionEffect[],
  input: SettlementInput,
  settlement: Settlement,
): readonly SettlementStep[] {
  const { envelope, reason = "attempts-exhausted" } = settlement;
  const { outcome } = input;
  const steps: SettlementStep[] = [];
  let record: HistoryRecord | undefined;
  for (const effect of effects) {
    switch (effect) {
      case "countAttempt":
        break;
      case "publishNext":
        steps.push(
          outcome.kind === "blocked"
            ? { do: "block", envelope, gate: outcome.gate }
            : { do: "requeue", envelope },
        );
        break;
      case "publishFollowing":
        steps.push(...followingSteps(input, record));
        break;
      case "publishDead":
        // Of a buried one the letter is there.
        if (outcome.kind !== "buried")
          steps.push({ do: "bury", letter: deadLetterOf(input, envelope, reason) });
        break;
      case "record":
        record = historyRecordOf(input, settlement);
        steps.push({ do: "record", record });
        break;
      case "ack":
        steps.push({ do: "ack" });
        break;
    }
  }
  return steps;
}
