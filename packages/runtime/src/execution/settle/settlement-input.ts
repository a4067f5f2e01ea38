import {
  NO_RETRY,
  type Outcome,
  recordError,
  type RetryPolicy,
  type SettlementInput,
} from "@millrace/core";
import type { JobInHand } from "../job-in-hand.ts";
import { maskOutcome } from "./mask-outcome.ts";
import { sharedUnseenSince } from "./shared-unseen.ts";
import { takenResult } from "./taken-result.ts";

/** What a settlement is made of: the job, its outcome, its policy, and what is known of its run. */
export function settlementInput(of: JobInHand, outcome: Outcome): SettlementInput {
  const { definition, delivery, envelope, host, startedAt } = of;
  const { clock, maskText, node, random, registry } = host;
  const input: { -readonly [K in keyof SettlementInput]: SettlementInput[K] } = {
    envelope,
    message: delivery.message,
    deliveryCount: delivery.deliveryCount,
    from: startedAt === undefined ? "queued" : "running",
    outcome: maskText === undefined ? outcome : maskOutcome(outcome, maskText),
    policy: definition?.retry ?? NO_RETRY,
    now: clock.now(),
    random: random(),
    node,
  };
  if (outcome.kind === "failed" || outcome.kind === "timed-out")
    input.policy = guarded(input.policy, of);
  const children = of.context?.children;
  if (children !== undefined) input.children = children;
  const stepCount = of.context?.steps?.count;
  if (stepCount !== undefined) input.stepCount = stepCount;
  const traceId = of.trace?.traceId;
  if (traceId !== undefined) input.traceId = traceId;
  if (startedAt !== undefined) {
    input.startedAt = startedAt;
    input.waitedMs = of.waitedMs;
    input.durationMs = Math.round((clock.monotonic() - of.startedMono) * 1_000) / 1_000;
  }
  const { outcomes } = definition ?? registry.get(envelope.name, envelope.queue) ?? {};
  if (outcomes !== undefined) input.outcomeJobs = outcomes;
  input.outcome = takenResult(input.outcome, input, host.broker.maxMessageBytes);
  const sharedSince = of.sharedSince ?? sharedUnseenSince(of, input);
  if (sharedSince !== undefined) input.sharedSince = sharedSince;
  return input;
}

/**
 * A policy may be the user's code. If it throws, the attempt is counted all the same, and the job
 * is not tried again; if it puts the job off for too long, that is as long as a job may be put off.
 */
function guarded(policy: RetryPolicy, { envelope, host }: JobInHand): RetryPolicy {
  return {
    attempts: policy.attempts,
    delayMs: (question) => {
      try {
        const delayMs = policy.delayMs(question);
        return delayMs === "never" ? delayMs : Math.min(delayMs, host.broker.maxDelayMs);
      } catch (error) {
        host.log.error(
          { job: envelope.id, error: recordError(error) },
          "the retry policy threw; the job is not tried again",
        );
        return "never";
      }
    },
  };
}
