import {
  type AnyJob,
  type Broker,
  claimHeaderOf,
  type Clock,
  type Envelope,
  moved,
  type NotedClaim,
  type QueueMessage,
  type StoredClaim,
  tooContended,
  type UniqueClaims,
  type UniqueKey,
} from "@millrace/core";
import { type Entrant, type Gate, type Passage, PASSED } from "../gates/gate.ts";
import { ClaimAges } from "./claim-ages.ts";
import { type Meeting, meetingOf, uniqueKeyOf } from "./job-meeting.ts";
import { judgeByClaims, judgePeeked } from "./judge-by-claims.ts";
import type { Judged } from "./judge-meeting.ts";
import type { UniqueHolds } from "./unique-holds.ts";

export interface UniqueGateHost {
  readonly broker: Pick<Broker, "solitary">;
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
  readonly #ages = new ClaimAges();

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
    const noted = met.earlier === "none" ? claimHeaderOf(message, met.id) : undefined;
    if (noted?.while === "pending" && (await this.#free(key, met, noted))) {
      holds.note(envelope, { key, frees: undefined });
      return PASSED;
    }
    if (noted?.while === "running" && this.#isHeld(noted, envelope, message)) {
      holds.note(envelope, { key, frees: claimOf(noted, met) });
      return PASSED;
    }
    for (let round = 0; round < ROUNDS; round += 1) {
      // What a peek has shown wrongly is not peeked at again.
      const verdict = await (round === 0
        ? this.#judgeByPeek(key, met, envelope)
        : judgeByClaims(this.#host.claims, key, met));
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
  async #free(key: UniqueKey, met: Meeting, noted: NotedClaim): Promise<boolean> {
    const freed = moved(claimOf(noted, met), "freed");
    return (await this.#host.claims.write(key, freed, noted.revision)) !== undefined;
  }

  /**
   * Whether the job certainly has its claim still, so that nothing has to be read. A job that the runtime has published again may have lain for any time,
   * and one without the key in its envelope may mean another key here than its producer did. Behind a node's back a server may have been killed that then
   * takes the job's delivery for the first, although it has ended.
   */
  #isHeld({ revision }: NotedClaim, envelope: Envelope, message: QueueMessage): boolean {
    return (
      this.#host.broker.solitary &&
      message.origin !== "runtime" &&
      envelope.generation === 0 &&
      envelope.uniqueKey !== undefined &&
      this.#ages.heldAtPublish(envelope, revision, message.storedAt)
    );
  }

  async #judgeByPeek(key: UniqueKey, met: Meeting, envelope: Envelope): Promise<Judged> {
    const peeked = await this.#host.claims.peek(key);
    if (peeked !== undefined) this.#ages.saw(envelope, peeked);
    return judgePeeked(this.#host.claims, key, peeked, met);
  }
}

/** As a read would show it. */
function claimOf(noted: NotedClaim, { id, enqueuedAt: since }: Meeting): StoredClaim {
  const { revision, while: during } = noted;
  return { claim: { id, state: "claimed", while: during }, revision, since, updatedAt: since };
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
