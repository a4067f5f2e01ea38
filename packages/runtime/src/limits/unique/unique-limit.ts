import {
  type AnyJob,
  type Broker,
  claimHeaderOf,
  type Clock,
  type Envelope,
  letThrough,
  moved,
  type NotedClaim,
  type Outcome,
  type QueueMessage,
  type StoredClaim,
  type UniqueClaim,
  type UniqueClaims,
  type UniqueKey,
} from "@millrace/core";
import { type Entrant, type Limit, type Entry, PASSED } from "../limit.ts";
import { ClaimAges } from "./claim-ages.ts";
import type { DisplacedJobs } from "./displaced-jobs.ts";
import { type Meeting, meetingOf, uniqueKeyOf } from "./job-meeting.ts";
import { judgeByClaims, judgePeeked, mayRunElsewhere } from "./judge-by-claims.ts";
import type { Judged } from "./judge-meeting.ts";
import { RecentMeetings } from "./recent-meetings.ts";
import type { UniqueHolds } from "./unique-holds.ts";

export interface UniqueLimitHost {
  readonly broker: Pick<Broker, "solitary" | "whoRuns">;
  readonly claims: UniqueClaims;
  readonly holds: UniqueHolds;
  readonly displaced: DisplacedJobs;
  readonly clock: Clock;
  /** A unique job was met on this node. */
  readonly onMet: () => void;
}

/**
 * Each round somebody else wrote between a look and the write that follows it. Then the job goes
 * aside, without its slot.
 */
const ROUNDS = 20;
const ASIDE_MS = 250;
/** How long a node has to answer that it runs a job. */
const WHO_RUNS_MS = 400;
/** Between two looks whether another message of a job is run still. */
const RUNS_LEAST_MS = 2_000;
const RUNS_MOST_MS = 60_000;

/**
 * Lets a job run if its unique key is its own, and makes the claim of a job whose producer knew of
 * none. The last of the gates: a key that is held until its job starts is freed here.
 */
export class UniqueLimit implements Limit {
  readonly #host: UniqueLimitHost;
  readonly #ages = new ClaimAges();
  readonly #recent = new RecentMeetings();
  /** Jobs whose own write to their claim may have been carried out without an answer. */
  readonly #perhapsFreed = new WeakSet<Envelope>();

  constructor(host: UniqueLimitHost) {
    this.#host = host;
  }

  concerns(envelope: Envelope, job: AnyJob): boolean {
    return envelope.uniqueKey !== undefined || job.unique !== undefined;
  }

  async enter({ envelope, job, message, deliveryCount }: Entrant): Promise<Entry> {
    const { clock, holds, onMet } = this.#host;
    const key = uniqueKeyOf(envelope, job);
    if (key === undefined) return PASSED;
    onMet();
    const crashes = envelope.crashes + Math.max(0, deliveryCount - 1);
    const met = meetingOf(envelope, message, job, crashes, clock.now());
    const noted = met.earlier === "none" ? claimHeaderOf(message, met.id) : undefined;
    if (noted?.while === "running" && this.#isHeld(noted, envelope, message)) {
      holds.note(envelope, { key, frees: claimOf(noted, met) });
      return PASSED;
    }
    if (noted?.while === "pending") {
      // One write instead of a read and a write: it succeeds only on the claim that the job's
      // producer has made for it.
      const freed = moved(claimOf(noted, met), "freed");
      const written = await this.#write(envelope, key, freed, noted.revision);
      if (written !== undefined) {
        holds.note(envelope, { key, frees: undefined });
        return PASSED;
      }
    }
    this.#recent.note(key, met);
    // Of another producer's job nothing tells that it has had its key.
    const isOwnCopy = noted?.while === "pending" || message.origin === "runtime";
    return this.#judge(envelope, key, met, isOwnCopy);
  }

  async #judge(
    envelope: Envelope,
    key: UniqueKey,
    met: Meeting,
    isOwnCopy: boolean,
  ): Promise<Entry> {
    const { claims, holds, displaced } = this.#host;
    let isThrough = false;
    for (let round = 0; round < ROUNDS; round += 1) {
      const asMet = this.#asKnown(envelope, met);
      // What a peek has shown wrongly is not peeked at again.
      const verdict = await (round === 0
        ? this.#judgeByPeek(key, asMet, envelope)
        : judgeByClaims(claims, key, asMet, this.#recent));
      isThrough = verdict.do === "go-through";
      switch (verdict.do) {
        case "pass":
          holds.note(envelope, { key, frees: verdict.frees });
          return PASSED;
        case "pass-alone": {
          const refusal = await this.#unlessAlone(envelope, met);
          if (refusal !== undefined) return this.#refuse(envelope, key, refusal);
          holds.note(envelope, { key, frees: undefined });
          return PASSED;
        }
        case "take": {
          const taken = await this.#take(envelope, key, verdict, met);
          if (taken === undefined) continue;
          holds.note(envelope, { key, frees: toBeFreed(taken.claim, taken.revision, met) });
          return PASSED;
        }
        case "wait":
          if ((await claims.write(key, verdict.claim, verdict.expected)) === undefined) continue;
          return this.#refuse(envelope, key, { kind: "deferred", untilMs: verdict.untilMs });
        case "go-through":
          if ((await claims.write(key, verdict.claim, verdict.expected)) === undefined) continue;
          holds.note(envelope, { key, frees: undefined });
          return PASSED;
        case "defer":
          await this.#letThrough(key, verdict.stored);
          return this.#refuse(envelope, key, { kind: "deferred", untilMs: verdict.untilMs });
        case "cancel":
          if (isOwnCopy && mayRunElsewhere(verdict.stored, asMet)) {
            const refusal = await this.#unlessAlone(envelope, met);
            if (refusal !== undefined) return this.#refuse(envelope, key, refusal);
          }
          await this.#letThrough(key, verdict.stored);
          return this.#refuse(envelope, key, { kind: "cancelled", reason: verdict.reason });
        case "end-displaced":
          await displaced.endFor(key, verdict.stored, met.id);
          continue;
        case "again":
          continue;
      }
    }
    // Its place is sure, whether or not the claim still says so.
    if (isThrough) {
      holds.note(envelope, { key, frees: undefined });
      return PASSED;
    }
    return this.#refuse(envelope, key, { kind: "deferred", untilMs: met.now + ASIDE_MS });
  }

  /**
   * A server that was killed may hand out what had been handed back already, beside its copy. Who
   * runs it is asked first, and then what became of it: a run is on record before it is over.
   */
  async #unlessAlone(envelope: Envelope, met: Meeting): Promise<Outcome | undefined> {
    const { id, queue, createdAt, sharedSince } = envelope;
    const { broker } = this.#host;
    const runs = await broker.whoRuns(id, { timeoutMs: WHO_RUNS_MS, queue, createdAt });
    if (runs === undefined && sharedSince !== undefined) return undefined;
    const waited = Math.max(RUNS_LEAST_MS, Math.ceil((met.now - met.enqueuedAt) / 2));
    const forMs = runs === undefined ? ASIDE_MS : Math.min(RUNS_MOST_MS, waited);
    return { kind: "deferred", untilMs: met.now + forMs, elsewhere: true };
  }

  /** The key is another's, or not yet the job's, so there is nothing to free. */
  #refuse(envelope: Envelope, key: UniqueKey, refusal: Outcome): Entry {
    this.#host.holds.note(envelope, { key, frees: undefined });
    return { refusal };
  }

  /** Nobody else would end those that gave way to the job: it runs, and is not met again. */
  async #take(
    envelope: Envelope,
    key: UniqueKey,
    { claim, expected }: { readonly claim: UniqueClaim; readonly expected: number },
    met: Meeting,
  ): Promise<Pick<StoredClaim, "claim" | "revision"> | undefined> {
    const revision = await this.#write(envelope, key, claim, expected);
    if (revision === undefined) return undefined;
    try {
      return await this.#host.displaced.endForTaken(key, { claim, revision }, met.id);
    } catch (error) {
      this.#perhapsFreed.add(envelope);
      throw error;
    }
  }

  /**
   * Notes where the job's own write may have been carried out although nobody said so: then it may
   * have had its key, and whoever has it now came after it.
   */
  async #write(
    envelope: Envelope,
    key: UniqueKey,
    claim: UniqueClaim,
    expected: number,
  ): Promise<number | undefined> {
    try {
      const written = await this.#host.claims.tryToWrite(key, claim, expected);
      if (written.kind === "written") return written.revision;
      if (written.perhapsDone) this.#perhapsFreed.add(envelope);
      return undefined;
    } catch (error) {
      this.#perhapsFreed.add(envelope);
      throw error;
    }
  }

  #asKnown(envelope: Envelope, met: Meeting): Meeting {
    return met.earlier === "none" && this.#perhapsFreed.has(envelope)
      ? { ...met, earlier: "perhaps" }
      : met;
  }

  /**
   * One try, of each job that gives way: jobs of a key that is enqueued faster than one can start
   * would give way to each other for ever.
   */
  async #letThrough(key: UniqueKey, stored: StoredClaim): Promise<void> {
    const { claims, clock, displaced } = this.#host;
    const claim = letThrough(stored, clock.now());
    if (claim === undefined) return;
    // It may have been given a later time than its claim tells.
    if (claim.due !== undefined && (await displaced.waits(key, claim.id))) return;
    await claims.write(key, claim, stored.revision);
  }

  /**
   * Whether the job certainly has its claim still, so that nothing has to be read. A job that the
   * runtime has published again may have lain for any time, and one without the key in its envelope
   * may mean another key here than its producer did. Behind a node's back a server may have been
   * killed that then takes the job's delivery for the first, although it has ended.
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
    return judgePeeked(this.#host.claims, key, peeked, met, this.#recent);
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
