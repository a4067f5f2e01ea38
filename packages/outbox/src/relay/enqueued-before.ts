import { type Broker, type WaitingJob, wasEnqueued } from "@millrace/core";
import type { ClaimItem } from "./claim-item.ts";

/** Up to so many jobs are looked for one by one: a broker may find one job without a search. */
const FEW = 3;
/** Asked for side by side. */
const AT_A_TIME = 16;
/** Held in memory at a time. */
const PAGE_JOBS = 1_000;
const PAGE_BYTES = 4 * 2 ** 20;

type Looked = Pick<Broker, "history" | "findWaiting" | "listWaiting" | "blocked">;

/**
 * Which jobs of a queue were enqueued before, as `wasEnqueued` says it of each. What waits is read
 * once for all of them, because a search for a job that is not there reads the whole queue.
 */
export async function enqueuedBefore(
  broker: Looked,
  queue: string,
  items: readonly ClaimItem[],
  traits: Parameters<typeof wasEnqueued>[2],
): Promise<ReadonlySet<ClaimItem>> {
  const known = items.length <= FEW ? broker : await readOnce(broker, queue, items);
  const before = new Set<ClaimItem>();
  await inParts(items, async (item) => {
    if (await wasEnqueued(known, item.job.envelope, traits)) before.add(item);
  });
  return before;
}

/**
 * Read in the order in which jobs move on: for their time, at a gate, in the queue, on record. So
 * none is missed in between.
 */
async function readOnce(
  broker: Looked,
  queue: string,
  items: readonly ClaimItem[],
): Promise<Pick<Broker, "history" | "findWaiting">> {
  const found = new Map<string, WaitingJob[]>(items.map(({ job }) => [job.envelope.id, []]));
  const note = (job: WaitingJob): void => void found.get(job.envelope.id)?.push(job);
  await inParts([...found.keys()], async (id) => {
    const where = (job: WaitingJob): boolean => {
      note(job);
      return false;
    };
    const first = await broker.findWaiting(id, { queue, only: "delayed", where });
    // A broker that knows no conditions gives whatever it finds.
    if (first !== undefined) note(first);
  });
  await readBlocked(broker, queue, note);
  await readQueued(broker, queue, note);
  return {
    history: broker.history,
    findWaiting: async (id, { where = () => true } = {}) => found.get(id)?.find(where),
  };
}

async function readBlocked(
  { blocked }: Looked,
  queue: string,
  note: (job: WaitingJob) => void,
): Promise<void> {
  for (let after = 0; ;) {
    const page = await blocked.list({ queue, after, limit: PAGE_JOBS, bytes: PAGE_BYTES });
    const last = page.at(-1);
    if (last === undefined) return;
    for (const { envelope, storedAt, gate } of page)
      note({ envelope, storedAt, gate, state: "blocked" });
    after = last.sequence;
  }
}

async function readQueued(
  broker: Looked,
  queue: string,
  note: (job: WaitingJob) => void,
): Promise<void> {
  for (let after = 0; ;) {
    const page = await broker.listWaiting(queue, { after, limit: PAGE_JOBS, bytes: PAGE_BYTES });
    for (const job of page) note(job);
    // Those that wait for their time come behind the last of the queue's own.
    const last = page.at(-1)?.position;
    if (last === undefined) return;
    after = last;
  }
}

async function inParts<Of>(all: readonly Of[], act: (one: Of) => Promise<void>): Promise<void> {
  for (let from = 0; from < all.length; from += AT_A_TIME)
    await Promise.all(all.slice(from, from + AT_A_TIME).map(act));
}
