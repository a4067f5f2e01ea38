import {
  type Broker,
  claimKeys,
  type EnqueueResult,
  type Envelope,
  type FreshClaims,
  type Mark,
  type MarkStore,
  MillraceError,
} from "@millrace/core";
import type { Claim, SetAside } from "../store/outbox-store.ts";
import { leaveBatches, type PublishedJob } from "./leave-batches.ts";
import {
  type ClaimItem,
  failures,
  failuresForGood,
  isForGood,
  keptOut,
  publishedJobs,
  requireGivenBack,
} from "./claim-item.ts";
import { markOf, publishedUpTo } from "./claim-mark.ts";

/** The mark under which a claim is published. */
export interface ClaimMark {
  readonly name: string;
  /** As it was known before the claim was read. */
  readonly seen: Mark | undefined;
  /** Told of each mark that was stored. */
  readonly onStored?: (mark: Mark) => void;
}

export interface MarkedClaim {
  readonly broker: Broker;
  readonly marks: MarkStore;
  readonly queue: string;
  readonly claim: Claim;
  readonly items: readonly ClaimItem[];
  readonly mark: ClaimMark;
  /** Of the claim, now. */
  readonly ageMs: () => number;
  /** Told of jobs that were there before: they are not enqueued, and their rows go. */
  readonly onKept: (ids: readonly string[]) => void;
  /** Takes rows out of the claim that can never be published. */
  readonly setAside: (rows: readonly SetAside[]) => Promise<void>;
}

/** Publishes jobs together with a mark, all or none. */
type Publish = (jobs: readonly Envelope[]) => Promise<readonly EnqueueResult[]>;

interface PartCall {
  readonly publish: Publish;
  /** Whether the mark is stored that says the part is dealt with. */
  readonly isMarked: () => boolean;
  /** Keys that were claimed for jobs of this claim of which none was stored since. */
  readonly fresh: FreshClaims;
}

/**
 * All at once where there is room; a queue that is nearly full, or smaller than the claim, gets as
 * many as it takes.
 */
export async function publishMarked(marked: MarkedClaim): Promise<void> {
  const { marks, queue, claim, items, mark } = marked;
  const { name } = mark;
  let { seen } = mark;
  const stored = (one: Mark): void => mark.onStored?.((seen = one));
  const done = publishedUpTo(claim, seen);
  let left = items.filter(({ seq }) => seq > done);
  const before = items.filter(({ seq }) => seq <= done);
  await leaveBatches(marked.broker, publishedJobs(before, []), marked);
  const fresh: FreshClaims = new Map();
  for (let size = left.length; left.length > 0;) {
    const part = left.slice(0, size);
    const lastSeq = part.at(-1)?.seq ?? 0;
    const value = markOf(claim, lastSeq);
    const after = seen?.revision ?? 0;
    const publish: Publish = (jobs) =>
      marks.enqueue(jobs, { queue, name, value, after, onStored: stored });
    const isMarked = (): boolean => publishedUpTo(claim, seen) >= lastSeq;
    let published: readonly PublishedJob[];
    try {
      const call = { isMarked, publish: part.length === 1 ? orRefused(publish) : publish, fresh };
      published = await publishPart(marked, part, call);
    } catch (error) {
      // If one message is too large for its stream, the server refuses them all: the relay looks
      // for it. Once they are stored, their mark is: of fewer it would go back.
      const mayBeFewer = MillraceError.is(error, "queue-full") || isForGood(error);
      if (isMarked() || !mayBeFewer || part.length === 1) throw error;
      size = Math.ceil(part.length / 2);
      continue;
    }
    left = left.slice(size);
    size = Math.min(size * 2, Math.max(left.length, 1));
    await leaveBatches(marked.broker, published, marked);
  }
}

/** What is said for good of the only job is what becomes of it. No mark is stored then. */
function orRefused(publish: Publish): Publish {
  return async (jobs) => {
    try {
      return await publish(jobs);
    } catch (error) {
      if (!isForGood(error)) throw error;
      return jobs.map(({ id, queue }) => ({ ok: false, id, queue, error }));
    }
  };
}

/**
 * The mark says of every row up to the last that it is dealt with. So what becomes of each is
 * settled before: a job whose unique key could not be asked for stops all of them, and one that
 * can never be published, for example because its key makes it too large, is set aside.
 *
 * @returns those that are in their queue now
 */
async function publishPart(
  marked: MarkedClaim,
  part: readonly ClaimItem[],
  { publish, isMarked, fresh }: PartCall,
): Promise<readonly PublishedJob[]> {
  const { broker, marks, setAside, ageMs } = marked;
  const jobs = part.map(({ job }) => job);
  if (jobs.every(({ unique }) => unique === undefined)) {
    const published = await publish(jobs.map(({ envelope }) => envelope));
    await setAside(failuresForGood(part, failures(published)));
    marked.onKept(keptOut(published));
    return publishedJobs(part, published);
  }
  const claimed = await claimKeys(
    broker,
    jobs,
    { monotonic: ageMs },
    { refusal: (job) => marks.refusal(job), fresh },
  );
  const places = new Set(claimed.failed.map(({ place }) => place));
  const early = failuresForGood(part, claimed.failed);
  requireGivenBack(claimed.standing);
  await setAside(early);
  const published = claimed.going.length === 0 ? [] : await publish(claimed.going);
  const results = await claimed.results(published);
  const failed = failures(results).filter(({ place }) => !places.has(place));
  const late = failuresForGood(part, failed);
  if (!isMarked()) requireGivenBack(claimed.standing);
  await setAside(late);
  marked.onKept(keptOut(results));
  return publishedJobs(part, results);
}
