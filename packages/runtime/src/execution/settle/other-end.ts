import { settle, type Settlement, type SettlementInput, type SettlementStep } from "@millrace/core";
import type { JobInHand } from "../job-in-hand.ts";
import { type FoundEnd, lookForEnd, outcomeOfEnd } from "../recall/look-for-end.ts";
import { completion } from "./completion.ts";
import { rivalEndOf } from "./withdraw-letter.ts";

/** How a job is settled as far as it is known, and from what. */
export interface Decided {
  readonly input: SettlementInput;
  readonly settlement: Settlement;
  /** Of a recalled job. */
  readonly found: FoundEnd | undefined;
}

/**
 * Whether it was looked for another end of the job, which would count instead of this one.
 * `contested`: the broker has one, and has refused this one.
 */
export type OtherEnd = "unasked" | "contested" | "asked";

/** What is to be asked before the job is settled; undefined for nearly all jobs. */
export function questionOf(
  of: JobInHand,
  known: OtherEnd,
  input: SettlementInput,
  settlement: Settlement,
): typeof yieldToEnd | undefined {
  if (known === "asked") return undefined;
  if (known === "unasked" && mayBeOver(of, input)) return yieldToEnd;
  // A letter is there before the record that may be refused.
  return known === "contested" || settlement.steps.some(isOwnLetter) ? yieldToRival : undefined;
}

/**
 * Nothing is to be asked of a job that nobody else can have had, nor of one whose end was found. A
 * job that is sent to wait and was not asked about is asked about when it comes again.
 */
function mayBeOver(of: JobInHand, { sharedSince, outcome }: SettlementInput): boolean {
  switch (outcome.kind) {
    case "recalled":
    case "buried":
    case "lease-lost":
      return false;
    case "blocked":
    case "deferred":
      return of.sharedSince !== undefined;
    default:
      return sharedSince !== undefined;
  }
}

/** A letter of the job itself, and not of one that was to follow it. */
export function isOwnLetter(step: SettlementStep): boolean {
  return step.do === "bury" && step.once === undefined;
}

/**
 * Whether another node has settled the job while it ran or waited here. Then that counts, and no
 * second end is written beside it.
 */
async function yieldToEnd(
  { host, delivery, envelope, trace }: JobInHand,
  own: SettlementInput,
  decided: Decided,
): Promise<Decided> {
  const { end, letter } = await lookForEnd(host.broker, envelope, delivery.message);
  if (end !== undefined) return recalled(own, outcomeOfEnd(end));
  if (letter === undefined || decided.settlement.state !== "requeued") return decided;
  const input = { ...decided.input, isBuriedBeside: true };
  const settlement = settle(input);
  return { ...decided, input, settlement: trace?.settling(input, settlement) ?? settlement };
}

/** The same where another's end is on record: the broker has refused this run's, or would. */
async function yieldToRival(
  of: JobInHand,
  own: SettlementInput,
  decided: Decided,
): Promise<Decided> {
  const end = await rivalEndOf(of);
  return end === undefined ? decided : recalled(own, { outcome: { kind: "recalled" }, ...end });
}

/** The end that counts is another run's: what is left to do here follows from that one. */
function recalled(own: SettlementInput, found: FoundEnd): Decided {
  const input: SettlementInput = { ...own, from: "queued", outcome: found.outcome };
  return { input, settlement: settle(input), found };
}

/**
 * What an earlier holder may have left undone behind its record, and what a run whose end does not
 * count has left behind.
 */
export async function completed(
  { host, found }: JobInHand,
  input: SettlementInput,
): Promise<Decided> {
  if (found?.stray !== undefined) await host.broker.deadLetters.remove(found.stray.sequence);
  const left = await completion(host.broker, input, found?.recorded);
  return { input: left, settlement: settle(left), found };
}
