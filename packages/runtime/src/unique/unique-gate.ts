import {
  type AnyJob,
  claimHeaderOf,
  type Clock,
  type Envelope,
  type QueueMessage,
  type StoredClaim,
  tooContended,
  type UniqueClaim,
  type UniqueClaims,
  type UniqueKey,
} from "@millrace/core";
import { type Entrant, type Gate, type Passage, PASSED } from "../gates/gate.ts";
import { type Meeting, meetingOf, uniqueKeyOf } from "./job-meeting.ts";
import { judgeByClaims, judgeByPeek } from "./judge-by-claims.ts";
import type { UniqueHolds } from "./unique-holds.ts";

export interface UniqueGateHost {
  readonly claims: UniqueClaims;
  readonly holds: UniqueHolds;
  readonly clock: Clock;
  /** A unique job was met on this node. */
  readonly onMet: () => void;
}

/** Each round somebody else wrote between a look and the write that follows it. */
const ROUNDS = 100;

/**
 * Lets a job run if its unique key is its own, and makes the claim of a job whose producer knew of none. The last of the gates: a key that is held until
 * its job starts is freed here.
 */
export class UniqueGate implements Gate {
  readonly #host: UniqueGateHost;

  constructor(host: UniqueGateHost) {
    this.#host = host;
  }

  concerns(envelope: Envelope, job: AnyJob): boolean {
    return envelope.uniqueKey !== undefined || job.unique !== undefined;
  }

  async enter({ envelope, job, message, deliveryCount }: Entrant): Promise<Passage> {
    const { clock, holds, onMet } = this.#host;
    const key = uniqueKeyOf(envelope, job);
    if (key === undefined) return PASSED;
    onMet();
    const crashes = envelope.crashes + Math.max(0, deliveryCount - 1);
    const met = meetingOf(envelope, message, job, crashes, clock.now());
    if (met.earlier === "none" && (await this.#freeByHeader(key, met, message))) {
      holds.note(envelope, { key, frees: undefined });
      return PASSED;
    }
    for (let round = 0; round < ROUNDS; round += 1) {
      // What a peek has shown wrongly is not peeked at again.
      const judge = round === 0 ? judgeByPeek : judgeByClaims;
      const verdict = await judge(this.#host.claims, key, met);
      switch (verdict.do) {
        case "pass":
          holds.note(envelope, { key, frees: verdict.frees });
          return PASSED;
        case "take": {
          const revision = await this.#host.claims.write(key, verdict.claim, verdict.expected);
          if (revision === undefined) continue;
          holds.note(envelope, { key, frees: toBeFreed(verdict.claim, revision, met) });
          return PASSED;
        }
        case "wait":
          if ((await this.#host.claims.write(key, verdict.claim, verdict.expected)) === undefined)
            continue;
          holds.note(envelope, { key, frees: undefined });
          return { refusal: { kind: "deferred", untilMs: verdict.untilMs } };
        case "defer":
          holds.note(envelope, { key, frees: undefined });
          return { refusal: { kind: "deferred", untilMs: verdict.untilMs } };
        case "cancel":
          // The key is another's, so there is nothing to free.
          holds.note(envelope, { key, frees: undefined });
          return { refusal: { kind: "cancelled", reason: verdict.reason } };
        case "again":
          continue;
      }
    }
    throw tooContended(key);
  }

  /** One write instead of a read and a write: it succeeds only on the claim that the job's producer has made for it. */
  async #freeByHeader(key: UniqueKey, met: Meeting, message: QueueMessage): Promise<boolean> {
    const revision = claimHeaderOf(message);
    if (revision === undefined) return false;
    const freed: UniqueClaim = {
      id: met.id,
      state: "freed",
      since: met.enqueuedAt,
      while: "pending",
    };
    return (await this.#host.claims.write(key, freed, revision)) !== undefined;
  }
}

function toBeFreed(
  claim: Parameters<UniqueClaims["write"]>[1],
  revision: number,
  { enqueuedAt }: Meeting,
): StoredClaim | undefined {
  if (claim.state === "freed" || claim.while !== "running") return undefined;
  const since = claim.since ?? enqueuedAt;
  return { claim, revision, since, updatedAt: since };
}
