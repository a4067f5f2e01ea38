import type { Arrival, Broker, Envelope } from "@millrace/core";
import { isFinal } from "../jobs/results/end-on-record.ts";
import { blockedOf } from "./blocked-of.ts";
import type { PlanItem } from "./operation-plan.ts";
import { jobKey } from "../jobs/job-key.ts";
import type { QueueReader } from "./queue-reader.ts";
import { recordsOf } from "./undo-looks.ts";

/** Between two places a job can be missed in both. */
const LOOKS = 3;

/** The very jobs that are meant, where they wait or run. */
export async function thoseThatWait(
  broker: Broker,
  reader: QueueReader,
  items: readonly PlanItem[],
): Promise<ReadonlyMap<PlanItem, Envelope>> {
  const found = new Map<PlanItem, Envelope>();
  // Of one that could not be read it is not known which of its id it is.
  let missing: readonly PlanItem[] = items.filter(({ createdAt }) => createdAt !== undefined);
  for (let look = 1; missing.length > 0 && look <= LOOKS; look += 1) {
    if (look > 1) missing = await thoseSentOn(broker, missing);
    // What is delayed or blocked would be missing in the queue.
    const blocked = await blockedOf(broker, missing);
    const elsewhere = await Promise.all(
      missing.map(async (item) => blocked.get(jobKey(item))?.envelope ?? delayed(broker, item)),
    );
    const left = missing.filter((_, index) => elsewhere[index] === undefined);
    const queued = await inQueue(broker, reader, left);
    for (const [index, item] of missing.entries()) {
      const envelope = elsewhere[index] ?? queued.get(jobKey(item))?.envelope;
      if (envelope !== undefined) found.set(item, envelope);
    }
    missing = left.filter((item) => !found.has(item));
  }
  return found;
}

/**
 * Those that lie in their queue. It is read as a whole only for what may be there: of a queue that
 * nodes work on the first jobs of a plan have ended, and while all of it were read for twenty of
 * them, as many more would.
 */
async function inQueue(
  broker: Broker,
  reader: QueueReader,
  items: readonly PlanItem[],
): Promise<ReadonlyMap<string, Arrival>> {
  const nearby = await reader.findNearby(items);
  const left = items.filter((item) => !nearby.has(jobKey(item)));
  const ended = await Promise.all(left.map((item) => hasEnded(broker, item)));
  const elsewhere = left.filter((_, index) => ended[index] !== true);
  return elsewhere.length === 0 ? nearby : new Map([...nearby, ...(await reader.find(elsewhere))]);
}

/** Certainly: a job that died may wait in its queue again, and its records say nothing of that. */
async function hasEnded(broker: Broker, item: PlanItem): Promise<boolean> {
  const last = (await recordsOf(broker, item, item)).at(-1);
  return last?.state === "succeeded" || last?.state === "cancelled";
}

async function delayed(
  broker: Broker,
  { id, queue, createdAt }: PlanItem,
): Promise<Envelope | undefined> {
  const waiting = await broker.findWaiting(id, {
    ...{ queue, only: "delayed" },
    where: ({ envelope }) => envelope.createdAt === createdAt,
  });
  return waiting?.envelope;
}

/** Their last record sends them on, so they must be somewhere. */
async function thoseSentOn(
  broker: Broker,
  items: readonly PlanItem[],
): Promise<readonly PlanItem[]> {
  const isSentOn = await Promise.all(
    items.map(async (item) => {
      const last = (await recordsOf(broker, item, item)).at(-1);
      return last !== undefined && !isFinal(last);
    }),
  );
  return items.filter((_, index) => isSentOn[index]);
}
