import {
  type Clock,
  displacedBy,
  displacedIn,
  type Envelope,
  moved,
  type Settlement,
  type StoredClaim,
  type UniqueClaim,
  type UniqueClaims,
  type UniqueKey,
  withoutName,
} from "@millrace/core";
import type { Settled, SettlementHook } from "../../execution/settle/settlement-hook.ts";
import type { Registry } from "../../registry/registry.ts";
import type { DisplacedJobs } from "./displaced-jobs.ts";
import { type Meeting, meetingOf, uniqueKeyOf } from "./job-meeting.ts";
import { judgeByClaims } from "./judge-by-claims.ts";
import type { UniqueHolds } from "./unique-holds.ts";

export interface UniqueReleaseHost {
  readonly claims: UniqueClaims;
  readonly holds: UniqueHolds;
  readonly displaced: DisplacedJobs;
  readonly registry: Registry;
  readonly clock: Clock;
}

/** Each round somebody else wrote in between. What is left undone is judged when the job is due. */
const ROUNDS = 20;

/**
 * Frees the key of a job that has ended, whatever its end: success, death, cancellation, expiry,
 * also of a job that never came to the gate. Before the ack: a crash in between brings the message
 * back, and with it this.
 *
 * A job that a producer published for later without a claim gets its claim when it is first met, or
 * two of one key could wait side by side.
 */
export class UniqueRelease implements SettlementHook {
  /** The claim of a job that has ended stands no longer: whoever wants the key finds that out. */
  readonly canBeSpared = true;
  readonly #host: UniqueReleaseHost;

  constructor(host: UniqueReleaseHost) {
    this.#host = host;
  }

  concerns(envelope: Envelope, { state }: Settlement): boolean {
    const job = this.#host.registry.get(envelope.name, envelope.queue);
    if (envelope.uniqueKey === undefined && job?.unique === undefined) return false;
    const hold = this.#host.holds.of(envelope);
    if (state === "requeued") return hold === undefined && envelope.generation === 0;
    if (state === "abandoned") return false;
    return hold === undefined || hold.frees !== undefined;
  }

  async beforeAck({ envelope, message, settlement, recorded }: Settled): Promise<void> {
    const { claims, clock, displaced, holds, registry } = this.#host;
    const job = registry.get(envelope.name, envelope.queue);
    const hold = holds.of(envelope);
    const key = hold?.key ?? uniqueKeyOf(envelope, job);
    if (key === undefined) return;
    if (settlement.state === "requeued") {
      await this.#claimEarly(key, meetingOf(envelope, message, job, 0, clock.now()));
      return;
    }
    if (settlement.state === "recalled" && recorded?.state === "requeued") return;
    if (hold?.frees !== undefined && (await this.#free(key, hold.frees))) return;
    // A window is freed by time alone. A message of a life that is over may come again when the job
    // was brought back: then the claim is the new life's.
    const { id } = envelope;
    const frees = ({ claim }: StoredClaim): boolean =>
      claim.id === id &&
      (claim.generation ?? 0) <= envelope.generation &&
      claim.state !== "freed" &&
      typeof (claim.while ?? job?.unique?.while) !== "object";
    for (;;) {
      const stored = await claims.read(key);
      if (stored === undefined) return;
      const { claim } = stored;
      const own = displacedIn(claim, id);
      // It ends without a start, and was there all the same. Once its own successor was met, that
      // one ends them all.
      if (own?.seen !== true && displacedBy(claim, id).length > 0) {
        await displaced.endFor(key, stored, id);
        continue;
      }
      if (frees(stored)) {
        if (await this.#free(key, stored)) return;
      } else {
        // Who looks for it just now will drop its name.
        const isSought = own?.seen === true && own.sought === undefined;
        if (own === undefined || isSought) return;
        if ((await claims.write(key, withoutName(stored, id), stored.revision)) !== undefined)
          return;
      }
    }
  }

  /**
   * As at the gate, but the job has not come so far. Where the key is another's, that is judged
   * when the job is due.
   */
  async #claimEarly(key: UniqueKey, met: Meeting): Promise<void> {
    const { claims, displaced } = this.#host;
    for (let round = 0; round < ROUNDS; round += 1) {
      const verdict = await judgeByClaims(claims, key, met);
      if (verdict.do === "again") continue;
      if (verdict.do === "end-displaced") {
        await displaced.endFor(key, verdict.stored, met.id);
        continue;
      }
      if (verdict.do === "cancel") await displaced.endIfReplaced(key, verdict.stored, met);
      if (verdict.do !== "take" && verdict.do !== "wait") return;
      // Its own claim is there already, and would be marked as started.
      if ((await claims.read(key))?.claim.id === met.id) return;
      const claim: UniqueClaim = { ...verdict.claim, state: "seen" };
      const revision = await claims.write(key, claim, verdict.expected);
      if (revision === undefined) continue;
      await displaced.endForTaken(key, { claim, revision }, met.id);
      return;
    }
  }

  async #free(key: UniqueKey, stored: StoredClaim): Promise<boolean> {
    const { claims } = this.#host;
    return (await claims.write(key, moved(stored, "freed"), stored.revision)) !== undefined;
  }
}
