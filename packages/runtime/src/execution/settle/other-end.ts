import { settle, type Settlement, type SettlementInput } from "@millrace/core";
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
 * Whether another node has settled the job while it ran or waited here. Then that counts, and no
 * second end is written beside it.
 */
export async function yieldToEnd(
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

/**
 * Another run's end is on record where the broker refused this run's, and may be before this run
 * writes a letter: that is there before the record that may be refused.
 */
export async function yieldToRival(
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
