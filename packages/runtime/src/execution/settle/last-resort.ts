import {
  MillraceError,
  recordError,
  settle,
  type Settlement,
  type SettlementInput,
  type SettlementStep,
} from "@millrace/core";
import type { Failure } from "./settlement-fallback.ts";
import { isOf } from "./settlement-hook.ts";

type RecordStep = Extract<SettlementStep, { readonly do: "record" }>;

/** A settlement that has failed, and for how long. */
export interface StuckSettlement extends Failure {
  readonly input: SettlementInput;
  /** What the broker has confirmed of it. */
  readonly confirmed: readonly SettlementStep[] | undefined;
  readonly forMs: number;
  readonly leaseMs: number;
}

/**
 * What to do with it: try on, carry out another one, or leave the job to whoever gets it when its
 * lease is over.
 */
export type LastResort = "wait" | "abandon" | Settlement;

/**
 * So many leases is an outcome kept that nobody has on record, where the server may take it at any
 * moment: abandoning the job would run it again. What was refused is not waited for so long.
 */
const PATIENT_LEASES = 10;

/**
 * What may pass without anybody doing anything: an election, a full disk that is being enlarged, a
 * broken line.
 */
const PASSING = [
  "publish-timeout",
  "request-timeout",
  "broker-unavailable",
  "connection-closed",
  "lease-lost",
  "queue-full",
  "consumer-not-found",
] as const;

/**
 * What is left where a settlement has failed for a lease and has no fallback. Pure. Nothing here
 * loses the job: it stays in its queue, or its bytes go into a letter.
 */
export function lastResort(stuck: StuckSettlement): LastResort {
  const { error, settlement, step, input, forMs, leaseMs } = stuck;
  if (forMs < leaseMs) return "wait";
  const passing = PASSING.some((code) => MillraceError.is(error, code));
  if (step?.do === "record" && !passing && livesOn(stuck)) return withoutRecord(stuck, step);
  if (isRecorded(stuck)) return "abandon";
  if (passing) return forMs < PATIENT_LEASES * leaseMs ? "wait" : "abandon";
  // A letter was refused as well.
  if (step === undefined || settlement.state === "dead" || settlement.state === "expired")
    return "abandon";
  return settle({
    ...input,
    outcome: { kind: "rejected", reason: "unsettled", error: unsettled(stuck) },
  });
}

/**
 * Whether the job's own end is on record: then no handler runs again for it, whoever completes it.
 */
function isRecorded({ settlement, confirmed, input }: StuckSettlement): boolean {
  const isOwn = (step: SettlementStep): boolean =>
    step.do === "record" && isOf(input.envelope, step.record);
  return (
    settlement.state === "recalled" ||
    settlement.steps.some((step) => isOwn(step) && confirmed?.includes(step))
  );
}

/**
 * Whether the job is kept by what was published before the record, or the record is another job's.
 */
function livesOn({ settlement, step, input }: StuckSettlement): boolean {
  if (step?.do === "record" && !isOf(input.envelope, step.record)) return true;
  const [first] = settlement.steps;
  return first?.do === "requeue" || first?.do === "block" || first?.do === "bury";
}

function withoutRecord({ settlement, input }: StuckSettlement, step: RecordStep): Settlement {
  const steps = settlement.steps.filter((other) => other !== step);
  const isOwn = isOf(input.envelope, step.record);
  return { ...settlement, steps, ...(isOwn ? { unrecorded: step.record } : {}) };
}

function unsettled({ error, step, input, forMs }: StuckSettlement): ReturnType<typeof recordError> {
  const { type, message } = recordError(error);
  const ended =
    input.from === "running"
      ? `The attempt ended as ${input.outcome.kind}`
      : `It was to be settled as ${input.outcome.kind}`;
  return recordError(
    `${ended}, and this could not be settled for ${Math.round(forMs / 1_000)} s (${step?.do ?? "ack"}: ${message}) Look at what it has done before you retry it.`,
    type,
  );
}
