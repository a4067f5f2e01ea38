import type { Broker } from "../broker/broker.ts";
import type { EnqueueResult } from "../broker/enqueue-call.ts";
import { inPlaces } from "../broker/keyed-jobs.ts";
import type { Envelope } from "../envelope/envelope.ts";
import type { ErrorCode } from "../errors/codes.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import type { Clock } from "../time/clock.ts";
import { withClaimHeader } from "../unique/claim-header.ts";
import { hasReplaced } from "../unique/has-replaced.ts";
import { CLAIM_LEASE_MS } from "../unique/unique-claim.ts";
import { UniqueClaims, type Claimed } from "../unique/unique-claims.ts";
import { UniqueKey } from "../unique/unique-key.ts";
import type { UniqueConflict } from "../unique/unique-plan.ts";
import { type EnqueueItemResult, unanswered } from "./enqueue-many.ts";
import type { PreparedJob } from "./prepare-job.ts";

/** Errors that say nothing of the message: another to the queue is refused as well. */
const OF_THE_QUEUE: ReadonlySet<ErrorCode> = new Set([
  "queue-not-found",
  "queue-closed",
  "queue-full",
  "permission-denied",
  "jetstream-disabled",
]);

/** Errors after which a message certainly is not stored. After any other it may be. */
const NOT_STORED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...OF_THE_QUEUE,
  "payload-too-large",
  "unserializable-payload",
  "invalid-header",
  "invalid-name",
  "invalid-message",
]);

/** Whether a job that could not be enqueued is certainly not stored. */
export function isNotStored({ code }: MillraceError): boolean {
  return NOT_STORED.has(code);
}

/**
 * What is to be done about one job: it has nothing to claim, it has its key, another has, or it
 * could not be asked.
 */
type Ticket =
  | { readonly kind: "plain" }
  | (Extract<Claimed, { kind: "claimed" }> & { readonly key: UniqueKey })
  | Extract<Claimed, { kind: "kept" }>
  | { readonly kind: "failed"; readonly error: MillraceError };

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
}

/**
 * Claims the unique keys of prepared jobs: the first half of `sendJobs`.
 *
 * @param refusal why a job can't be published as it is; it keeps no other out
 */
export async function claimKeys(
  broker: Broker,
  jobs: readonly PreparedJob[],
  clock: Stopwatch,
  refusal: Refusal = () => undefined,
): Promise<ClaimedJobs> {
  const claims = new UniqueClaims(broker);
  const beganMs = clock.monotonic();
  const tickets = await claimAll(claims, jobs, refusal);
  return {
    going: tickets.flatMap((ticket, place) => {
      const job = jobs[place];
      return job === undefined || !isGoing(ticket) ? [] : [envelopeOf(job, ticket)];
    }),
    failed: tickets.flatMap((ticket, place) =>
      ticket.kind === "failed" ? [{ place, error: ticket.error }] : [],
    ),
    results(published) {
      let next = 0;
      const isLate = clock.monotonic() - beganMs >= CLAIM_LEASE_MS;
      const sending = { claims, isLate };
      return Promise.all(
        jobs.map((job, place) => {
          const ticket = tickets[place] ?? { kind: "plain" };
          return resultOf(sending, job, ticket, isGoing(ticket) ? published[next++] : undefined);
        }),
      );
    },
  };
}

/**
 * Publishes prepared jobs, each after its unique key was claimed, and gives each its own result in
 * the order given. Jobs with the same key count in their order, as if they were sent one after the
 * other.
 *
 * A claim takes one write, the publish another; nothing follows. A producer that dies in between
 * leaves a claim that nobody respects for longer than its lease.
 */
export async function sendJobs(
  broker: Broker,
  jobs: readonly PreparedJob[],
  clock: Stopwatch,
): Promise<readonly EnqueueItemResult[]> {
  const keys = new Set(
    jobs.flatMap(({ envelope, keyed }) => (keyed === true ? [envelope.id] : [])),
  );
  if (jobs.every(({ unique }) => unique === undefined))
    return broker.enqueue(
      jobs.map(({ envelope }) => envelope),
      { keys },
    );
  const looked = await Promise.all(jobs.map((job) => lookUp(broker, job)));
  const left = jobs.filter((_, place) => looked[place] === undefined);
  return inPlaces(looked, await claimAndSend({ broker, clock, keys }, left));
}

interface Sending {
  readonly broker: Broker;
  readonly clock: Stopwatch;
  readonly keys: ReadonlySet<string>;
}

/**
 * A job that was claimed for first and then could not be stored has kept out those of its key that
 * were sent with it. They claim again, as if they had been sent after it had failed.
 *
 * @param failed holders that could not be stored, of those that were sent before
 */
async function claimAndSend(
  sending: Sending,
  jobs: readonly PreparedJob[],
  failed: ReadonlySet<string> = new Set(),
): Promise<readonly EnqueueItemResult[]> {
  const { broker, clock, keys } = sending;
  const claimed = await claimKeys(broker, jobs, clock);
  const { going } = claimed;
  const published = going.length === 0 ? [] : await broker.enqueue(going, { keys });
  const results = await claimed.results(published);
  const failing = new Map(
    results.flatMap((result, place) =>
      result.ok || !isNotStored(result.error)
        ? []
        : [[holderOf(jobs[place], result.id), result.error] as const],
    ),
  );
  const known = results.map((result, place): EnqueueItemResult | undefined => {
    if (!result.ok || result.conflict?.kind !== "kept") return result;
    const holder = holderOf(jobs[place], result.id);
    const error = failing.get(holder);
    // What the queue refuses it refuses of each, and each would be tried by itself.
    if (error !== undefined && OF_THE_QUEUE.has(error.code))
      return { ok: false, id: jobs[place]?.envelope.id, queue: result.queue, error };
    if (error !== undefined) return undefined;
    return failed.has(holder) ? keptByNobody(jobs[place], result) : result;
  });
  const again = jobs.filter((_, place) => known[place] === undefined);
  if (again.length === 0) return inPlaces(known, []);
  return inPlaces(
    known,
    await claimAndSend(sending, again, new Set([...failed, ...failing.keys()])),
  );
}

/** One of a key, by its id. */
function holderOf(job: PreparedJob | undefined, id: string | undefined): string {
  return JSON.stringify([job?.envelope.queue, job?.unique?.key, id]);
}

/** Its key could not be given back, and is free once the claim's lease is over. */
function keptByNobody(
  job: PreparedJob | undefined,
  { id, queue }: { readonly id: string; readonly queue: string },
): EnqueueItemResult {
  const key = JSON.stringify(job?.unique?.key);
  const error = new MillraceError(
    "revision-conflict",
    `The unique key ${key} of queue ${queue} is claimed for ${id}, which could not be enqueued. Try again.`,
  );
  return { ok: false, id: job?.envelope.id, queue, error };
}

/**
 * What is known of a job before its unique key is claimed: a claim for one that is on record would
 * keep others out until it is given back, and nobody would run. The publish asks once more, for a
 * claim may take longer than its queue remembers ids.
 */
async function lookUp(
  broker: Broker,
  { envelope: { id, queue }, unique, keyed }: PreparedJob,
): Promise<EnqueueItemResult | undefined> {
  if (unique === undefined || keyed !== true) return undefined;
  try {
    const onRecordSince = await broker.onRecordSince({ id, queue });
    return onRecordSince === undefined
      ? undefined
      : { ok: true, id, queue, duplicate: true, onRecordSince };
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    return { ok: false, id, queue, error };
  }
}

function envelopeOf({ envelope, unique }: PreparedJob, ticket: Ticket): Envelope {
  return ticket.kind === "claimed" && unique !== undefined
    ? withClaimHeader(envelope, unique, ticket)
    : envelope;
}

function isGoing({ kind }: Ticket): boolean {
  return kind === "plain" || kind === "claimed";
}

/** Side by side, but those of one key in turn. */
async function claimAll(
  claims: UniqueClaims,
  jobs: readonly PreparedJob[],
  refusal: Refusal,
): Promise<readonly Ticket[]> {
  const turns = new Map<string, Promise<Ticket>>();
  const tickets = jobs.map((job): Promise<Ticket> => {
    const turn = (): Promise<Ticket> => takeTurn(claims, job, refusal);
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
async function takeTurn(claims: UniqueClaims, job: PreparedJob, refusal: Refusal): Promise<Ticket> {
  const ticket = await claimOne(claims, job);
  const error = isGoing(ticket) ? refusal(envelopeOf(job, ticket)) : undefined;
  if (error === undefined) return ticket;
  if (ticket.kind === "claimed") await giveBack(claims, ticket);
  return { kind: "failed", error };
}

async function claimOne(claims: UniqueClaims, { envelope, unique }: PreparedJob): Promise<Ticket> {
  if (unique === undefined) return { kind: "plain" };
  try {
    const claimed = await claims.claim(unique, envelope);
    return claimed.kind === "kept"
      ? claimed
      : { ...claimed, key: new UniqueKey(envelope.queue, unique.key) };
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    return { kind: "failed", error };
  }
}

async function resultOf(
  { claims, isLate }: { readonly claims: UniqueClaims; readonly isLate: boolean },
  { envelope: { id, queue }, unique }: PreparedJob,
  ticket: Ticket,
  published: EnqueueResult | undefined,
): Promise<EnqueueItemResult> {
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
    await giveBack(claims, ticket);
    return published;
  }
  if (published.ok) {
    const conflict = await replacedBy(claims, id, ticket, isLate);
    return conflict === undefined ? published : { ...published, conflict };
  }
  if (isNotStored(published.error)) await giveBack(claims, ticket);
  return published;
}

/**
 * What a job that is stored now has replaced. Where its claim's lease may have been over by then,
 * only what the claim still says is told; nothing where it can't be read.
 */
async function replacedBy(
  claims: UniqueClaims,
  id: string,
  { key, displaced }: Extract<Ticket, { kind: "claimed" }>,
  isLate: boolean,
): Promise<UniqueConflict | undefined> {
  if (displaced === undefined) return undefined;
  try {
    if (isLate && !(await hasReplaced(claims, key, { id, displaced }))) return undefined;
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    return undefined;
  }
  return { kind: "replaced", key: key.key, id: displaced };
}

/**
 * But for a claim of an earlier try: that one's message may be stored. If it is not, or the key
 * can't be given back, the claim's lease does the same a little later; the producer is told of its
 * own failure, and not of this one too.
 */
async function giveBack(
  claims: UniqueClaims,
  ticket: Extract<Ticket, { kind: "claimed" }>,
): Promise<void> {
  if (ticket.again === true) return;
  try {
    await claims.unclaim(ticket.key, ticket);
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
  }
}
