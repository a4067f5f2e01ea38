import type { Broker } from "../broker/broker.ts";
import type { DocumentStore } from "../broker/stores/document-store.ts";
import { findToReplace } from "../broker/stores/find-to-replace.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { wasPerhapsWritten } from "../errors/perhaps-written.ts";
import { progressOf, whereabouts } from "./job-trace.ts";
import { freshClaim, gaveWayIn, givenBack, inPlaceOf, nextLife, successor } from "./succession.ts";
import {
  asItStands,
  CLAIM_LEASE_MS,
  isThrough,
  mayBeReplaced,
  moved,
  readClaim,
  SEEN_FOR_MS,
  type StoredClaim,
  UNIQUE_BUCKET,
  type UniqueClaim,
  windowEnd,
} from "./unique-claim.ts";
import { UniqueKey } from "./unique-key.ts";
import type { UniquePlan } from "./unique-plan.ts";

/**
 * Whether a claim that belongs to another job stands in the way. `free`: not any more, `since` a
 * time by the server's clock or nearly so; where that is missing, the claim never had a job.
 * `undecided`: its producer may still be about to publish; `leftMs` later it is known. `changed`:
 * somebody else wrote meanwhile, so look again.
 */
export type Standing =
  | { readonly kind: "free"; readonly since?: number }
  | { readonly kind: "changed" }
  | { readonly kind: "held"; readonly by: StoredClaim }
  | { readonly kind: "undecided"; readonly leftMs: number };

/** A key in a producer's hands, until its job is published. */
export type Claimed =
  | { readonly kind: "kept"; readonly id: string }
  | {
      readonly kind: "claimed";
      readonly revision: number;
      /**
       * The claim that stood before, as it has to stand again if nothing can be published in its
       * place.
       */
      readonly before: UniqueClaim | undefined;
      /** It tells of no other job, so that its own job may start by its revision alone. */
      readonly alone?: true;
      /** The job that gives way. */
      readonly displaced?: string;
      /** An earlier try to enqueue this very job has made the claim: its message may be there. */
      readonly again?: true;
    };

/** What became of a write to a claim. */
export type Written =
  | { readonly kind: "written"; readonly revision: number }
  /**
   * Another writer was first. `perhapsDone`: or else the write was carried out, its answer was
   * lost, and somebody has written since. Then its author may have had the key, and must not take
   * itself for a duplicate of whoever has it now.
   */
  | { readonly kind: "refused"; readonly perhapsDone: boolean };

/** Where a claim lies, and where its job is looked for. */
export type ClaimPlace = Pick<UniqueKey, "queue" | "document">;

/** A claim that is being made. */
interface Claiming {
  readonly fresh: UniqueClaim;
  readonly plan: UniquePlan;
  readonly now: number;
  /** One of its writes got no answer, and may have been carried out. */
  perhapsMade: boolean;
}

/** Each round somebody else wrote between a look and the write that follows it. */
const ROUNDS = 100;

/**
 * The claims on unique keys, for producers and nodes alike. Knows nothing that the bucket doesn't.
 */
export class UniqueClaims {
  readonly #broker: Broker;
  /** Once it is open: asked for several times a job. */
  #opened: DocumentStore | undefined;
  /** Looks for jobs that are under way, by claim. */
  readonly #looks = new Map<string, ReturnType<typeof whereabouts>>();

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /**
   * Claims the key for a job that is about to be published: one write where nobody holds it.
   *
   * @throws MillraceError of the broker; then the key may be claimed all the same, for no longer
   *   than the claim's lease
   */
  async claim(plan: UniquePlan, envelope: Envelope): Promise<Claimed> {
    const key = new UniqueKey(envelope.queue, plan.key);
    const fresh = freshClaim(plan, envelope);
    const claiming = { fresh, plan, now: envelope.createdAt, perhapsMade: false };
    for (let round = 0; round < ROUNDS; round += 1) {
      const revision = await this.#make(claiming, key, fresh, 0);
      if (revision !== undefined)
        return { kind: "claimed", revision, before: undefined, alone: true };
      const stored = await this.read(key);
      const claimed = stored && (await this.#contend(key, stored, claiming));
      if (claimed !== undefined) return claimed;
    }
    throw tooContended(key);
  }

  /** @returns undefined where another writer was first, perhaps after this very write */
  async #make(
    claiming: Claiming,
    key: UniqueKey,
    claim: UniqueClaim,
    expected: number,
  ): Promise<number | undefined> {
    const written = await this.tryToWrite(key, claim, expected);
    if (written.kind === "written") return written.revision;
    claiming.perhapsMade ||= written.perhapsDone;
    return undefined;
  }

  /** @returns undefined where somebody else was first: look again */
  async #contend(
    key: UniqueKey,
    stored: StoredClaim,
    claiming: Claiming,
  ): Promise<Claimed | undefined> {
    const { fresh, now, plan } = claiming;
    const { claim, revision } = stored;
    const again: Claimed = { kind: "claimed", revision, before: undefined, again: true };
    // It had the key and gave way, while nobody answered it: it does not come later than that one.
    if (claiming.perhapsMade && gaveWayIn(claim, fresh.id)) return again;
    const isOwn = claim.id === fresh.id && claim.state !== "freed";
    // A job that is brought back is another life of the one that its claim names. If nobody freed
    // the key of the life before, its end would free the key of this one.
    if (isOwn && fresh.generation !== undefined) {
      if ((claim.generation ?? 0) >= fresh.generation) return again;
      const taken = await this.write(key, nextLife(stored, fresh), revision);
      return taken === undefined
        ? undefined
        : { kind: "claimed", revision: taken, before: undefined };
    }
    const standing = await this.standing(key, stored, { young: isOwn ? "undecided" : "held" });
    switch (standing.kind) {
      case "changed":
        return undefined;
      case "free": {
        // A job that was let through is still to be met, and so are those that wait for a far time.
        const { through } = claim;
        const own = through === undefined ? fresh : { ...fresh, through };
        const next = inPlaceOf(own, stored, standing);
        const taken = await this.#make(claiming, key, next, revision);
        if (taken === undefined) return undefined;
        const isAlone = through === undefined && next.displaced === undefined;
        // What a free key is remembered for, and whom it names, must not go with a refused publish.
        const before = isAlone && claim.state !== "freed" ? undefined : asItStands(stored);
        return { kind: "claimed", revision: taken, before, ...(isAlone ? { alone: true } : {}) };
      }
      case "undecided":
        // An enqueue that is repeated, its first answer lost, has claimed the key already.
        return isOwn ? again : { kind: "kept", id: claim.id };
      case "held": {
        // Its job is there: a second message of one id would be taken for the claim's holder.
        if (isOwn) return { kind: "kept", id: claim.id };
        if (plan.onConflict === "keep" || !mayBeReplaced(standing.by))
          return { kind: "kept", id: claim.id };
        const debounces = typeof plan.onConflict === "object";
        const next = successor(fresh, standing.by, { debounces, now });
        const taken = await this.#make(claiming, key, next, standing.by.revision);
        if (taken === undefined) return undefined;
        const before = asItStands(stored);
        const displaced = isThrough(claim, claim.id) ? {} : { displaced: claim.id };
        return { kind: "claimed", revision: taken, before, ...displaced };
      }
    }
  }

  /**
   * Gives back a key whose job certainly was not published. Where it can't be given back, the
   * claim's lease ends it.
   */
  async unclaim(
    key: UniqueKey,
    { revision, before }: Extract<Claimed, { kind: "claimed" }>,
  ): Promise<void> {
    if (before === undefined) await this.erase(key, revision);
    else await this.write(key, before, revision);
  }

  /**
   * Whether another job's claim still stands. The server's clock decides, and what is known of the
   * job: a claim whose job was never published, or has ended without anybody freeing the key,
   * stands no longer.
   *
   * @param options.young what is said of a claim that was made a moment ago and whose job nobody
   *   has seen: that it holds, that it is not known yet, or what a look for its job shows, which
   *   reads the queue through
   * @param options.signal gives the look for its job up: it rejects then
   */
  async standing(
    key: ClaimPlace,
    stored: StoredClaim,
    {
      young: of,
      signal,
    }: { readonly young: "held" | "undecided" | "look"; readonly signal?: AbortSignal },
  ): Promise<Standing> {
    const { claim, updatedAt } = stored;
    if (claim.state === "freed") return { kind: "free", since: updatedAt };
    const documents = this.#opened ?? (await this.#open());
    const [progress, now] = await Promise.all([
      progressOf(this.#broker, key.queue, stored),
      documents.now(),
    ]);
    const ageMs = now - updatedAt;
    const end = windowEnd(stored);
    if (end !== undefined) {
      if (now >= end) return { kind: "free", since: end };
      if (claim.state !== "claimed" || progress.kind !== "unknown")
        return { kind: "held", by: stored };
    } else if (
      progress.kind === "has-ended" ||
      (progress.kind === "has-started" && claim.while === "pending")
    ) {
      return { kind: "free", since: progress.at };
    }
    if (claim.state !== "claimed" && ageMs < SEEN_FOR_MS) return { kind: "held", by: stored };
    const young = claim.state === "claimed" && ageMs < CLAIM_LEASE_MS;
    if (young && of === "held") return { kind: "held", by: stored };
    if (young && of === "undecided") return { kind: "undecided", leftMs: CLAIM_LEASE_MS - ageMs };
    const { kind: where } = await this.#lookFor(key, stored, signal);
    if (where === "there") return this.#seen(key, stored);
    // What it has left behind is judged at the next look.
    if (where === "ended") return { kind: "changed" };
    if (young) return { kind: "undecided", leftMs: CLAIM_LEASE_MS - ageMs };
    return this.#giveBack(key, stored, signal);
  }

  /** Its job never came: the key is that of the job which was to give way, where that is there. */
  async #giveBack(
    key: ClaimPlace,
    stored: StoredClaim,
    signal: AbortSignal | undefined,
  ): Promise<Standing> {
    for (let claim = givenBack(stored); claim !== undefined;) {
      const back = { ...stored, claim };
      const where = await this.#lookFor(key, back, signal);
      if (where.kind === "there") {
        // As old as that job: who came later than it may replace it.
        const { since } = where;
        await this.write(key, moved({ ...back, since }, "seen"), stored.revision);
        return { kind: "changed" };
      }
      claim = where.kind === "ended" ? undefined : givenBack(back);
    }
    return { kind: "free" };
  }

  /** Whether there was such a job since then. Reads the queue through if it has no record yet. */
  async wasThere({ queue }: UniqueKey, id: string, since: number): Promise<boolean> {
    const claim = { id, state: "claimed" } as const;
    const stored = { ...{ claim, since }, revision: 0, updatedAt: since };
    if ((await progressOf(this.#broker, queue, stored)).kind !== "unknown") return true;
    return (await whereabouts(this.#broker, queue, stored)).kind !== "nowhere";
  }

  /** Callers that ask at the same time read the queue once, but for one who may give it up. */
  #lookFor(
    key: ClaimPlace,
    stored: StoredClaim,
    signal: AbortSignal | undefined,
  ): ReturnType<typeof whereabouts> {
    if (signal !== undefined) return whereabouts(this.#broker, key.queue, stored, signal);
    const { revision, claim } = stored;
    const name = [key.document, revision, claim.id, claim.generation ?? 0].join(" ");
    const under = this.#looks.get(name);
    if (under !== undefined) return under;
    const look = whereabouts(this.#broker, key.queue, stored).finally(() =>
      this.#looks.delete(name),
    );
    this.#looks.set(name, look);
    return look;
  }

  /** Noted in the claim, so that the queue is read through once and not for each contender. */
  async #seen(key: ClaimPlace, stored: StoredClaim): Promise<Standing> {
    const claim = moved(stored, stored.claim.state === "started" ? "started" : "seen");
    const revision = await this.write(key, claim, stored.revision);
    return revision === undefined
      ? { kind: "changed" }
      : { kind: "held", by: { ...stored, claim, revision } };
  }

  async read(key: UniqueKey): Promise<StoredClaim | undefined> {
    const document = await findToReplace(this.#opened ?? (await this.#open()), key.document);
    return document === undefined ? undefined : readClaim(document);
  }

  /** For less than `read`; good for what `peek` of a document is good for. */
  async peek(key: UniqueKey): Promise<StoredClaim | undefined> {
    const document = await (this.#opened ?? (await this.#open())).peek(key.document);
    return document === undefined ? undefined : readClaim(document);
  }

  /**
   * @param expected the revision that was read, 0 where there is to be none
   * @returns the new revision, or undefined where another writer was first
   */
  async write(key: ClaimPlace, claim: UniqueClaim, expected: number): Promise<number | undefined> {
    const written = await this.tryToWrite(key, claim, expected);
    return written.kind === "written" ? written.revision : undefined;
  }

  /** The same, for who has to know whether its own write may have been carried out. */
  async tryToWrite(key: ClaimPlace, claim: UniqueClaim, expected: number): Promise<Written> {
    const documents = this.#opened ?? (await this.#open());
    try {
      const revision = await documents.put(key.document, claim, expected);
      return { kind: "written", revision };
    } catch (error) {
      if (!MillraceError.is(error, "revision-conflict")) throw error;
      return { kind: "refused", perhapsDone: wasPerhapsWritten(error) };
    }
  }

  async erase(key: UniqueKey, revision: number): Promise<boolean> {
    return (this.#opened ?? (await this.#open())).erase(key.document, revision);
  }

  async #open(): Promise<DocumentStore> {
    this.#opened = await this.#broker.documents(UNIQUE_BUCKET);
    return this.#opened;
  }
}

function tooContended({ queue, key }: UniqueKey): MillraceError {
  return new MillraceError(
    "revision-conflict",
    `The unique key ${JSON.stringify(key)} of queue ${queue} changed hands at each of ${ROUNDS} looks. Try again.`,
  );
}
