import {
  type AnyJob,
  type Broker,
  type Clock,
  displacedBy,
  displacedIn,
  type Envelope,
  type StoredClaim,
  successorSeen,
  type UniqueClaims,
  type UniqueKey,
} from "@millrace/core";
import type { Registry } from "../../registry/registry.ts";
import { type Meeting, uniqueKeyOf } from "./job-meeting.ts";
import { replacedBy } from "./judge-meeting.ts";

export interface DisplacedJobsHost {
  readonly broker: Pick<Broker, "delayed">;
  readonly claims: UniqueClaims;
  readonly registry: Pick<Registry, "get">;
  readonly clock: Clock;
}

/** Each round somebody else wrote in between. What is left undone is judged when the job is met. */
const ROUNDS = 20;

/**
 * Ends jobs that were replaced and wait for their time, as soon as a node has met their successor:
 * they are brought forward to be cancelled. One that is not there yet is still known by the claim,
 * whenever it comes.
 */
export class DisplacedJobs {
  readonly #host: DisplacedJobsHost;

  constructor(host: DisplacedJobsHost) {
    this.#host = host;
  }

  /**
   * Ends those that gave way to a job which was met. Where another wrote the claim meanwhile, that
   * is read again and this is asked again.
   *
   * @returns the claim as it stands then
   */
  async endFor(
    key: UniqueKey,
    stored: StoredClaim,
    by: string,
  ): Promise<Pick<StoredClaim, "claim" | "revision"> | undefined> {
    const ended = new Set<string>();
    // Also one that was due: it may have been given a later time.
    await Promise.all(
      displacedBy(stored.claim, by).map(async ({ id }) => {
        if (await this.#end(key, { id, by })) ended.add(id);
      }),
    );
    const claim = successorSeen(stored, by, { ended, now: this.#host.clock.now() });
    const revision = await this.#host.claims.write(key, claim, stored.revision);
    return revision === undefined ? undefined : { claim, revision };
  }

  /**
   * The same for a job that a node has just given its key, which costs nothing where no other gave
   * way to it.
   *
   * @returns the claim as it stands then, or as it was given where another has written since
   */
  async endForTaken(
    key: UniqueKey,
    taken: Pick<StoredClaim, "claim" | "revision">,
    { id, enqueuedAt }: Pick<Meeting, "id" | "enqueuedAt">,
  ): Promise<Pick<StoredClaim, "claim" | "revision">> {
    const since = taken.claim.since ?? enqueuedAt;
    let stored: StoredClaim | undefined = { ...taken, since, updatedAt: since };
    for (let round = 0; round < ROUNDS; round += 1) {
      if (stored === undefined || displacedBy(stored.claim, id).length === 0) break;
      const ended = await this.endFor(key, stored, id);
      if (ended !== undefined) return round === 0 ? ended : taken;
      stored = await this.#host.claims.read(key);
    }
    return taken;
  }

  /** A job that has just begun to wait: who replaced it may have looked for it too early. */
  async endIfReplaced(key: UniqueKey, stored: StoredClaim, id: string): Promise<void> {
    const displaced = displacedIn(stored.claim, id);
    if (displaced?.seen === true) await this.#end(key, displaced);
  }

  /** @returns whether such a job waited, and is on its way to its end now */
  async #end(
    key: UniqueKey,
    { id, by }: { readonly id: string; readonly by: string },
  ): Promise<boolean> {
    const { delayed } = this.#host.broker;
    let moved = false;
    for (const envelope of await delayed.of({ queue: key.queue, id })) {
      if (!this.#isMeant(key, envelope)) continue;
      const { createdAt } = envelope;
      const cancellation = { reason: replacedBy(by), createdAt };
      if (await delayed.move(id, key.queue, "now", { cancellation, createdAt })) moved = true;
    }
    return moved;
  }

  /** Another job may have the id by now. One that has run keeps the retry that it was promised. */
  #isMeant(key: UniqueKey, envelope: Envelope): boolean {
    const { name, queue, attempts, interruptions, snoozes } = envelope;
    if (attempts + interruptions + snoozes > 0) return false;
    const job: AnyJob | undefined = this.#host.registry.get(name, queue);
    return uniqueKeyOf(envelope, job)?.document === key.document;
  }
}
