import {
  type AttemptTrace,
  type Envelope,
  NO_RETRY,
  type Outcome,
  recordError,
  settle,
  type Settlement,
  type SettlementInput,
} from "@millrace/core";
import type { Admission } from "../admission.ts";
import type { Attempt } from "../attempt/attempt.ts";
import { decide } from "../decide.ts";
import type { ExecutionHost } from "../execution-host.ts";
import { maskOutcome } from "./mask-outcome.ts";

/** What a settlement is made from. Everything but the outcome may be missing. */
export interface Ended {
  readonly outcome: Outcome;
  readonly envelope: Envelope;
  readonly delivery: Pick<SettlementInput, "message" | "deliveryCount">;
  readonly admission: Pick<Admission, "definition" | "sharedSince"> | undefined;
  readonly attempt: Pick<Attempt, "children" | "stepCount"> | undefined;
  readonly trace: Pick<AttemptTrace, "traceId"> | undefined;
  /** Epoch milliseconds, where the handler was called. */
  readonly startedAt: number | undefined;
  /** The same by the monotonic clock. */
  readonly startedMono: number;
}

type Input = { -readonly [K in keyof SettlementInput]: SettlementInput[K] };

/** How a job is settled, and from what: its outcome, its policy, and what is known of its run. */
export function settlementOf(
  host: ExecutionHost,
  ended: Ended,
): { readonly input: SettlementInput; readonly settlement: Settlement } {
  const input = inputOf(host, ended);
  const settlement = decide(input, host.broker.maxDelayMs, (error) =>
    host.log.error(
      { job: input.envelope.id, error: recordError(error) },
      "the retry policy threw; the job is not tried again",
    ),
  );
  if (settlement.state !== "requeued") return { input, settlement };
  const cancellation = host.cancellations.of(input.envelope);
  if (cancellation === undefined) return { input, settlement };
  // It would only be cancelled when it comes again, which may be much later.
  input.outcome = { kind: "cancelled", reason: cancellation.reason };
  return { input, settlement: settle(input) };
}

function inputOf({ clock, maskText, node, random, registry }: ExecutionHost, ended: Ended): Input {
  const { outcome, envelope, delivery, admission, attempt, trace } = ended;
  const { startedAt, startedMono } = ended;
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
  const traceId = trace?.traceId;
  if (traceId !== undefined) input.traceId = traceId;
  if (startedAt !== undefined) {
    input.startedAt = startedAt;
    input.durationMs = Math.round((clock.monotonic() - startedMono) * 1_000) / 1_000;
  }
  const definition = admission?.definition ?? registry.get(envelope.name, envelope.queue);
  if (definition?.outcomes !== undefined) input.outcomeJobs = definition.outcomes;
  const sharedSince = admission?.sharedSince;
  if (sharedSince !== undefined) input.sharedSince = sharedSince;
  return input;
}
