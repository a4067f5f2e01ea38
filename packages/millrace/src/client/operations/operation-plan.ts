import { type Broker, type DocumentStore, MillraceError } from "@millrace/core";
import type { OneJob } from "../jobs/job-key.ts";
import type { Exception } from "./operation.ts";

/** One thing that is meant. */
export interface PlanItem extends OneJob {
  /**
   * Which letter of the job; of a job that is given another time, the one that it had; of one whose
   * change is taken back, its place in the plan of that; of one that is cancelled, its `createdAt`,
   * where earlier versions have it.
   */
  readonly mark?: number;
  /** The other time. Without it, now. */
  readonly to?: number;
  /** Of the job, where it was traced. */
  readonly traceId?: string;
  /** It could not be read, so it is not known which job of its id it is. */
  readonly isUnread?: true;
}

/** A page of a plan, and what became of its things where that was nothing usual. */
export interface PlanPage {
  readonly items: readonly PlanItem[];
  readonly exceptions: Readonly<Record<string, Exception>>;
}

export const PLANS_BUCKET = "operation-plans";
/** A page is one document: some 70 KB with long ids and traces. */
export const PAGE_ITEMS = 500;

export function plansOf(broker: Broker): Promise<DocumentStore> {
  return broker.documents(PLANS_BUCKET, { look: true });
}

export function pageCount(total: number): number {
  return Math.ceil(total / PAGE_ITEMS);
}

/** Written before the operation is: what has no plan does not begin. */
export async function writePlan(
  plans: DocumentStore,
  id: string,
  items: readonly PlanItem[],
): Promise<void> {
  for (let page = 0; page < pageCount(items.length); page += 1) {
    const own = items.slice(page * PAGE_ITEMS, (page + 1) * PAGE_ITEMS);
    await plans.put(key(id, page), stored({ items: own, exceptions: {} }));
  }
}

/** @throws MillraceError `operation-not-found` where somebody removed the plan */
export async function readPage(plans: DocumentStore, id: string, page: number): Promise<PlanPage> {
  const document = await plans.get(key(id, page));
  const value = document?.value as Partial<StoredPage> | null | undefined;
  if (Array.isArray(value?.items)) {
    const tells = value.items.some(([, , , , , createdAt]) => typeof createdAt === "number");
    return {
      items: value.items.map(([queue, job, mark, to, traceId, createdAt]) => ({
        id: job,
        queue,
        ...(typeof mark === "number" ? { mark } : {}),
        ...(typeof to === "number" ? { to } : {}),
        ...(typeof traceId === "string" ? { traceId } : {}),
        ...(typeof createdAt === "number" ? { createdAt } : {}),
        // A version that told the others by their enqueue left it out.
        ...(createdAt === UNREAD || (tells && createdAt == null) ? { isUnread: true } : {}),
      })),
      exceptions: value.exceptions ?? {},
    };
  }
  throw new MillraceError(
    "operation-not-found",
    `Page ${page} of the plan of the operation ${id} is gone, so it can't be said what is left of it.`,
  );
}

/** Writing the same again changes nothing. */
export async function settlePage(
  plans: DocumentStore,
  id: string,
  page: number,
  settled: PlanPage,
): Promise<void> {
  await plans.put(key(id, page), stored(settled));
}

export async function erasePlan(plans: DocumentStore, id: string, total: number): Promise<void> {
  for (let page = 0; page < pageCount(total); page += 1) {
    const document = await plans.get(key(id, page));
    if (document !== undefined) await plans.erase(document.key, document.revision);
  }
}

/** Beside it, plans of earlier versions do not say by their enqueue which jobs they mean. */
const UNREAD = "unread";

/** Null where only something after it is known. */
type StoredItem = readonly [
  queue: string,
  id: string,
  mark?: number | null,
  to?: number | null,
  traceId?: string | null,
  createdAt?: number | typeof UNREAD | null,
];

interface StoredPage {
  readonly items: readonly StoredItem[];
  readonly exceptions: Readonly<Record<string, Exception>>;
}

function stored({ items, exceptions }: PlanPage): StoredPage {
  return {
    items: items.map(storedItem),
    exceptions,
  };
}

function storedItem({ id, queue, mark, to, traceId, createdAt, isUnread }: PlanItem): StoredItem {
  const enqueue = isUnread === true ? UNREAD : createdAt;
  const rest = [mark ?? null, to ?? null, traceId ?? null, enqueue ?? null] as const;
  const known = rest.findLastIndex((value) => value !== null) + 1;
  return [queue, id, ...rest.slice(0, known)] as unknown as StoredItem;
}

function key(id: string, page: number): string {
  return `${id}.${page}`;
}
