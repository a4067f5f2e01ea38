import type { Envelope } from "../envelope/envelope.ts";
import type { QueueMessage } from "../envelope/message.ts";
import type { UniquePlan } from "./unique-plan.ts";

/**
 * Names the revision of a job's own claim, so that the node that starts the job need not read it
 * first. Only the first copy of a message says it, of however many its producer sends: where an
 * answer fails to come the job may have run, and its key be another's by the time the second copy
 * is stored.
 */
export const CLAIM_HEADER = "millrace-claim";

/**
 * What a job's message says of its claim. A guess: its producer may have been frozen since, and
 * anybody can write a header.
 */
export interface NotedClaim {
  readonly revision: number;
  readonly while: "pending" | "running";
}

/**
 * Only of a claim that tells of no other job and can't be displaced by its successor: there the
 * revision says all that a read would.
 */
export function withClaimHeader(
  envelope: Envelope,
  plan: UniquePlan,
  claimed: { readonly revision: number; readonly alone?: true },
): Envelope {
  const note = claimed.alone === true ? noteOf(envelope, plan, claimed.revision) : undefined;
  if (note === undefined) return envelope;
  return { ...envelope, headers: { ...envelope.headers, [CLAIM_HEADER]: note } };
}

/**
 * A claim that is held while its job runs is bound to the id: no write proves it before the job
 * starts.
 */
function noteOf({ id }: Envelope, plan: UniquePlan, revision: number): string | undefined {
  if (plan.while === "pending") return String(revision);
  return plan.while === "running" && plan.onConflict === "keep"
    ? `${revision} running ${id}`
    : undefined;
}

/** @returns undefined where the message says nothing of a claim of that job */
export function claimHeaderOf({ headers }: QueueMessage, id: string): NotedClaim | undefined {
  const note = headers[CLAIM_HEADER];
  if (note === undefined) return undefined;
  const space = note.indexOf(" ");
  const revision = Number(space === -1 ? note : note.slice(0, space));
  if (!Number.isSafeInteger(revision) || revision <= 0) return undefined;
  if (space === -1) return { revision, while: "pending" };
  return note.slice(space + 1) === `running ${id}` ? { revision, while: "running" } : undefined;
}
