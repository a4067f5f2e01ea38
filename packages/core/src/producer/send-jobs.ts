import type { Broker } from "../broker/broker.ts";
import type { EnqueueResult } from "../broker/enqueue-call.ts";
import { inPlaces } from "../broker/keyed-jobs.ts";
import type { Envelope } from "../envelope/envelope.ts";
import type { ErrorCode } from "../errors/codes.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { withClaimHeader } from "../unique/claim-header.ts";
import { UniqueClaims, type Claimed } from "../unique/unique-claims.ts";
import { UniqueKey } from "../unique/unique-key.ts";
import type { UniqueConflict } from "../unique/unique-plan.ts";
import { type EnqueueItemResult, unanswered } from "./enqueue-many.ts";
import type { PreparedJob } from "./prepare-job.ts";

/** Errors after which a message certainly is not stored. After any other it may be. */
const NOT_STORED: ReadonlySet<ErrorCode> = new Set([
  "queue-not-found",
  "queue-closed",
  "queue-full",
  "payload-too-large",
  "permission-denied",
  "unserializable-payload",
  "invalid-header",
  "invalid-name",
  "invalid-message",
  "jetstream-disabled",
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
 * @param refusal why a job can't be published as it is; its key is given back at once
 */
export async function claimKeys(
  broker: Broker,
  jobs: readonly PreparedJob[],
  refusal: (envelope: Envelope) => MillraceError | undefined = () => undefined,
): Promise<ClaimedJobs> {
  const claims = new UniqueClaims(broker);
  const tickets = await claimAll(claims, jobs);
  const going: Envelope[] = [];
  for (const [place, ticket] of tickets.entries()) {
    const envelope = envelopeOf(jobs[place], ticket);
    if (envelope === undefined) continue;
    const error = refusal(envelope);
    if (error === undefined) going.push(envelope);
    else {
      tickets[place] = { kind: "failed", error };
      if (ticket.kind === "claimed") await giveBack(claims, ticket);
    }
  }
  return {
    going,
    failed: tickets.flatMap((ticket, place) =>
      ticket.kind === "failed" ? [{ place, error: ticket.error }] : [],
    ),
    results(published) {
      let next = 0;
      return Promise.all(
        jobs.map((job, place) => {
          const ticket = tickets[place] ?? { kind: "plain" };
          return resultOf(claims, job, ticket, isGoing(ticket) ? published[next++] : undefined);
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
  const claimed = await claimKeys(broker, left);
  const { going } = claimed;
  const sent = await claimed.results(
    going.length === 0 ? [] : await broker.enqueue(going, { keys }),
  );
  return inPlaces(looked, sent);
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

function envelopeOf(job: PreparedJob | undefined, ticket: Ticket): Envelope | undefined {
  if (job === undefined || !isGoing(ticket)) return undefined;
  const { envelope, unique } = job;
  return ticket.kind === "claimed" && unique !== undefined
    ? withClaimHeader(envelope, unique, ticket)
    : envelope;
}

function isGoing({ kind }: Ticket): boolean {
  return kind === "plain" || kind === "claimed";
}

const PLAIN: Promise<Ticket> = Promise.resolve({ kind: "plain" });

/** Side by side, but those of one key in turn. */
async function claimAll(claims: UniqueClaims, jobs: readonly PreparedJob[]): Promise<Ticket[]> {
  const turns = new Map<string, Promise<Ticket>>();
  const tickets = jobs.map((job): Promise<Ticket> => {
    if (job.unique === undefined) return PLAIN;
    const scope = `${job.envelope.queue} ${job.unique.key}`;
    const earlier = turns.get(scope);
    const ticket =
      earlier === undefined ? claimOne(claims, job) : earlier.then(() => claimOne(claims, job));
    turns.set(scope, ticket);
    return ticket;
  });
  return Promise.all(tickets);
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
  claims: UniqueClaims,
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
    if (ticket.again === undefined) await giveBack(claims, ticket);
    return published;
  }
  if (published.ok) {
    const conflict: UniqueConflict | undefined =
      ticket.displaced === undefined
        ? undefined
        : { kind: "replaced", key: ticket.key.key, id: ticket.displaced };
    return { ...published, ...(conflict === undefined ? {} : { conflict }) };
  }
  if (isNotStored(published.error)) await giveBack(claims, ticket);
  return published;
}

/**
 * The producer is told of its own failure, and not of this one too: the claim's lease does the same
 * a little later.
 */
async function giveBack(
  claims: UniqueClaims,
  ticket: Extract<Ticket, { kind: "claimed" }>,
): Promise<void> {
  try {
    await claims.unclaim(ticket.key, ticket);
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
  }
}
