import {
  type AnyJob,
  type Broker,
  type Clock,
  displacedBy,
  displacedIn,
  type Envelope,
  lookedFor,
  ON_ITS_WAY_MS,
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
   * The claim says so before any is looked for: a key that is enqueued faster than its jobs are
   * looked for has another holder by then, and all would be looked for once more for each.
   *
   * @returns the claim as it stands then
   */
  async endFor(
    key: UniqueKey,
    stored: StoredClaim,
    by: string,
  ): Promise<Pick<StoredClaim, "claim" | "revision"> | undefined> {
    const { claims, clock } = this.#host;
    const ids = displacedBy(stored.claim, by)
      .filter(({ sought }) => sought === undefined)
      .map(({ id }) => id);
    const claim = successorSeen(stored, by, clock.now());
    const revision = await claims.write(key, claim, stored.revision);
    if (revision === undefined) return undefined;
    if (ids.length === 0) return { claim, revision };
    const ended = new Set<string>();
    // Also one that was due: it may have been given a later time.
    await Promise.all(
      ids.map(async (id) => {
        if (await this.#end(key, { id, by })) ended.add(id);
      }),
    );
    return this.#noteSought(key, { ...stored, claim, revision }, { ids: new Set(ids), ended });
  }

  /** @returns the claim as it stands then, where nobody else has written it meanwhile */
  async #noteSought(
    key: UniqueKey,
    seen: StoredClaim,
    { ids, ended }: { readonly ids: ReadonlySet<string>; readonly ended: ReadonlySet<string> },
  ): Promise<Pick<StoredClaim, "claim" | "revision"> | undefined> {
    const { claims } = this.#host;
    let stored: StoredClaim | undefined = seen;
    for (let round = 0; round < ROUNDS && stored !== undefined; round += 1) {
      const claim = lookedFor(stored, ids, ended);
      const revision = await claims.write(key, claim, stored.revision);
      if (revision !== undefined) return round === 0 ? { claim, revision } : undefined;
      stored = await claims.read(key);
    }
    return undefined;
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
    id: string,
  ): Promise<Pick<StoredClaim, "claim" | "revision">> {
    if (displacedBy(taken.claim, id).length === 0) return taken;
    for (let round = 0; round < ROUNDS; round += 1) {
      const stored = await this.#host.claims.read(key);
      if (stored === undefined || displacedBy(stored.claim, id).length === 0) break;
      const ended = await this.endFor(key, stored, id);
      if (ended !== undefined) return stored.revision === taken.revision ? ended : taken;
    }
    return taken;
  }

  /** A job that has just begun to wait: who replaced it may have looked for it too early. */
  async endIfReplaced(
    key: UniqueKey,
    stored: StoredClaim,
    { id, notBefore = 0 }: Pick<Meeting, "id" | "notBefore">,
  ): Promise<void> {
    if (notBefore - this.#host.clock.now() < ON_ITS_WAY_MS) return;
    const displaced = displacedIn(stored.claim, id);
    if (displaced?.seen === true) await this.#end(key, displaced);
  }

  /** Whether the job waits for its time still, whatever time its claim tells. */
  async waits(key: UniqueKey, id: string): Promise<boolean> {
    const { broker, clock } = this.#host;
    const jobs = await broker.delayed.of({ queue: key.queue, id });
    const now = clock.now();
    return jobs.some((job) => this.#isMeant(key, job) && (job.notBefore ?? 0) > now);
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
