import { CLAIM_LEASE_MS, type Envelope, type StoredClaim } from "@millrace/core";

/**
 * The server's clock and a claim's age that far apart leave the lease in force: half of it is for
 * the clocks of two servers, where one leads the claims and another the queue.
 */
const PROVEN_MS = CLAIM_LEASE_MS / 2;

type Seen = Pick<StoredClaim, "revision" | "updatedAt">;

/**
 * How old a claim was when its job was published, by its revision alone. Revisions grow over the
 * whole bucket, so a claim with a higher one than a claim that was read is no older than that; and
 * the server says when it stored the job. Within a claim's lease nobody else takes its key, and
 * after it nobody whose job is there: a job that was published in time has its key until it has
 * ended.
 *
 * One claim is remembered for each queue and lane, the one that was read last: jobs of one lane
 * come in the order of their claims, so that it is good for those of the next seconds, however old
 * all of them are.
 */
export class ClaimAges {
  readonly #seen = new Map<string, Seen>();

  /** A claim was read for a job of that place. */
  saw(place: Pick<Envelope, "queue" | "lane">, { revision, updatedAt }: Seen): void {
    this.#seen.set(nameOf(place), { revision, updatedAt });
  }

  /** @param publishedAt when the server stored the claim's job, epoch milliseconds */
  heldAtPublish(
    place: Pick<Envelope, "queue" | "lane">,
    revision: number,
    publishedAt: number,
  ): boolean {
    const seen = this.#seen.get(nameOf(place));
    if (seen === undefined || revision < seen.revision) return false;
    const atMostMs = publishedAt - seen.updatedAt;
    return atMostMs >= 0 && atMostMs < PROVEN_MS;
  }
}

function nameOf({ queue, lane }: Pick<Envelope, "queue" | "lane">): string {
  return lane === undefined ? queue : `${queue} ${lane}`;
}
