import type { Envelope } from "../envelope/envelope.ts";
import type { QueueMessage } from "../envelope/message.ts";
import type { UniquePlan } from "./unique-plan.ts";

/** Names the revision of a job's own claim, so that the node that starts the job can free its key without reading it first. */
const CLAIM_HEADER = "millrace-claim";

/** Only of a claim that is freed at the start and displaced no other: there the revision says all that a read would. */
export function withClaimHeader(
  envelope: Envelope,
  plan: UniquePlan,
  claimed: { readonly revision: number; readonly before: unknown },
): Envelope {
  if (plan.while !== "pending" || claimed.before !== undefined) return envelope;
  return {
    ...envelope,
    headers: { ...envelope.headers, [CLAIM_HEADER]: String(claimed.revision) },
  };
}

/** @returns the revision of a claim that was made as `pending`; a guess, which the compare-and-set that follows proves */
export function claimHeaderOf({ headers }: QueueMessage): number | undefined {
  const revision = Number(headers[CLAIM_HEADER] ?? Number.NaN);
  return Number.isSafeInteger(revision) && revision > 0 ? revision : undefined;
}
