import type { Broker } from "../broker/broker.ts";
import type { EnqueueResult } from "../broker/enqueue-call.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import type { Clock } from "../time/clock.ts";
import { withClaimHeader } from "../unique/claim-header.ts";
import { hasReplaced } from "../unique/has-replaced.ts";
import { CLAIM_LEASE_MS } from "../unique/unique-claim.ts";
import { UniqueClaims, type Claimed } from "../unique/unique-claims.ts";
import { UniqueKey } from "../unique/unique-key.ts";
import type { UniqueConflict } from "../unique/unique-plan.ts";
import { type EnqueueItemResult, unanswered } from "./enqueue-many.ts";
import { isNotStored } from "./not-stored.ts";
import type { PreparedJob } from "./prepare-job.ts";

/**
 * What is to be done about one job: it has nothing to claim, it has its key, another has, or it
 * could not be asked.
 */
type Ticket =
  | { readonly kind: "plain" }
  | KeyTicket
  | Extract<Claimed, { kind: "kept" }>
  | { readonly kind: "failed"; readonly error: MillraceError };

type KeyTicket = Extract<Claimed, { kind: "claimed" }> & {
  readonly key: UniqueKey;
  /** When it was asked for, `Clock.monotonic()`. */
  readonly askedAtMs: number;
};

/**
 * The keys that a caller has claimed for jobs of which certainly none was stored since, where it
 * tries some of them once more. Their claims are not taken for those of an earlier try.
 */
export type FreshClaims = Map<PreparedJob, KeyTicket>;

/** By what it is told how long a publish took. */
export type Stopwatch = Pick<Clock, "monotonic">;

/** Why a job can't be published as it is. */
type Refusal = (envelope: Envelope) => MillraceError | undefined;

/** Jobs whose unique keys have been asked for. Nothing is published yet. */
export interface ClaimedJobs {
  /** Those that are to be published, in the order given. */
  readonly going: readonly Envelope[];
  /** Those that can't be, by their places among the jobs. */
  readonly failed: readonly { readonly place: number; readonly error: MillraceError }[];
  /**
   * Gives back the keys of jobs that were not stored.
   *
   * @param published of `going`, in its order
   * @returns of every job, in the order given
   */
  readonly results: (published: readonly EnqueueResult[]) => Promise<readonly EnqueueItemResult[]>;
  /**
   * Those that were refused so far, and whose claims stand all the same until their lease is over:
   * an earlier try made them, whose message may be stored, or they could not be given back. Others
   * of their keys are kept out meanwhile, perhaps by a job that nobody will run.
   */
  readonly standing: ReadonlySet<PreparedJob>;
}

/** How the keys of some jobs are claimed. */
export interface ClaimCall {
  /** Why a job can't be published as it is. It keeps no other out. */
  readonly refusal?: Refusal;
  /** Those of the caller's earlier calls; the new ones are added. */
  readonly fresh?: FreshClaims;
}

/** Claims the unique keys of prepared jobs: the first half of `sendJobs`. */
export async function claimKeys(
  broker: Broker,
  jobs: readonly PreparedJob[],
  clock: Stopwatch,
  { refusal = () => undefined, fresh = new Map() }: ClaimCall = {},
): Promise<ClaimedJobs> {
  const standing = new Set<PreparedJob>();
  const claims = new UniqueClaims(broker);
  const claiming = { claims, clock, refusal, fresh, standing };
  const tickets = await claimAll(claiming, jobs);
  return {
    standing,
    going: tickets.flatMap((ticket, place) => {
      const job = jobs[place];
      return job === undefined || !isGoing(ticket) ? [] : [envelopeOf(job, ticket)];
    }),
    failed: tickets.flatMap((ticket, place) =>
      ticket.kind === "failed" ? [{ place, error: ticket.error }] : [],
    ),
    results(published) {
      let next = 0;
      return Promise.all(
        jobs.map((job, place) => {
          const ticket = tickets[place] ?? { kind: "plain" };
          return resultOf(claiming, job, ticket, isGoing(ticket) ? published[next++] : undefined);
        }),
      );
    },
  };
}

function envelopeOf({ envelope, unique }: PreparedJob, ticket: Ticket): Envelope {
  return ticket.kind === "claimed" && unique !== undefined
    ? withClaimHeader(envelope, unique, ticket)
    : envelope;
}

function isGoing({ kind }: Ticket): boolean {
  return kind === "plain" || kind === "claimed";
}

interface Claiming extends Required<ClaimCall> {
  readonly claims: UniqueClaims;
  readonly clock: Stopwatch;
  readonly standing: Set<PreparedJob>;
}

/** Side by side, but those of one key in turn. */
async function claimAll(
  claiming: Claiming,
  jobs: readonly PreparedJob[],
): Promise<readonly Ticket[]> {
  const turns = new Map<string, Promise<Ticket>>();
  const tickets = jobs.map((job): Promise<Ticket> => {
    const turn = (): Promise<Ticket> => takeTurn(claiming, job);
    if (job.unique === undefined) return turn();
    const scope = `${job.envelope.queue} ${job.unique.key}`;
    const earlier = turns.get(scope);
    const ticket = earlier === undefined ? turn() : earlier.then(turn);
    turns.set(scope, ticket);
    return ticket;
  });
  return Promise.all(tickets);
}

/** The key of a job that is refused is given back before the next one asks for it. */
async function takeTurn(claiming: Claiming, job: PreparedJob): Promise<Ticket> {
  const ticket = await claimOne(claiming, job);
  const error = isGoing(ticket) ? claiming.refusal(envelopeOf(job, ticket)) : undefined;
  if (error === undefined) return ticket;
  if (ticket.kind === "claimed") await refused(claiming, job, ticket);
  return { kind: "failed", error };
}

async function claimOne({ claims, clock, fresh }: Claiming, job: PreparedJob): Promise<Ticket> {
  const { envelope, unique } = job;
  if (unique === undefined) return { kind: "plain" };
  try {
    const askedAtMs = clock.monotonic();
    const claimed = await claims.claim(unique, envelope);
    if (claimed.kind === "kept") return claimed;
    const earlier = fresh.get(job);
    if (claimed.again === true && earlier?.revision === claimed.revision) return earlier;
    const ticket = { ...claimed, key: new UniqueKey(envelope.queue, unique.key), askedAtMs };
    if (claimed.again === undefined) fresh.set(job, ticket);
    return ticket;
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    return { kind: "failed", error };
  }
}

async function resultOf(
  claiming: Claiming,
  job: PreparedJob,
  ticket: Ticket,
  published: EnqueueResult | undefined,
): Promise<EnqueueItemResult> {
  const { unique } = job;
  const { id, queue } = job.envelope;
  if (ticket.kind === "failed") return { ok: false, id, queue, error: ticket.error };
  if (ticket.kind === "kept") {
    const known = { ok: true, id: ticket.id, queue, duplicate: true } as const;
    const isOther = ticket.id !== id;
    return isOther ? { ...known, conflict: { kind: "kept", key: unique?.key ?? "" } } : known;
  }
  if (published === undefined) return { ok: false, id, queue, error: unanswered(id) };
  if (ticket.kind === "plain") return published;
  if (published.ok && published.onRecordSince !== undefined) {
    // No job comes for this claim: the one of its id came long ago.
    await giveBack(claiming.claims, ticket);
    return published;
  }
  if (published.ok) {
    const conflict = await replacedBy(claiming, job, ticket);
    return conflict === undefined ? published : { ...published, conflict };
  }
  if (isNotStored(published.error)) await refused(claiming, job, ticket);
  return published;
}

/**
 * What a job that is stored now has replaced. Where nobody may have respected its claim any more by
 * then, only what the claim still says is told; nothing where it can't be read.
 */
async function replacedBy(
  { claims, clock }: Claiming,
  { envelope: { id }, unique }: PreparedJob,
  { key, displaced, askedAtMs }: KeyTicket,
): Promise<UniqueConflict | undefined> {
  if (displaced === undefined) return undefined;
  const during = unique?.while;
  const respectedMs =
    typeof during === "object" ? Math.min(CLAIM_LEASE_MS, during.windowMs) : CLAIM_LEASE_MS;
  const isLate = clock.monotonic() - askedAtMs >= respectedMs;
  try {
    if (isLate && !(await hasReplaced(claims, key, { id, displaced }))) return undefined;
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    return undefined;
  }
  return { kind: "replaced", key: key.key, id: displaced };
}

async function refused(
  { claims, standing }: Claiming,
  job: PreparedJob,
  ticket: KeyTicket,
): Promise<void> {
  const isFree = await giveBack(claims, ticket);
  // The claim of another life has no lease.
  if (!isFree && job.envelope.generation === 0) standing.add(job);
}

/**
 * But for a claim of an earlier try: that one's message may be stored. If it is not, or the key
 * can't be given back, the claim's lease does the same a little later; the producer is told of its
 * own failure, and not of this one too.
 *
 * @returns whether the key is this job's no longer
 */
async function giveBack(claims: UniqueClaims, ticket: KeyTicket): Promise<boolean> {
  if (ticket.again === true) return false;
  try {
    await claims.unclaim(ticket.key, ticket);
    return true;
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    return false;
  }
}
