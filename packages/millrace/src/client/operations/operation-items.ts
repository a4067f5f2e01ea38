import type { Broker } from "@millrace/core";
import type { StoredOperation } from "./operation.ts";
import { PAGE_ITEMS, pageCount, type PlanItem, plansOf, readPage } from "./operation-plan.ts";
import { getOperation, operationsBucket } from "./operation-store.ts";

/** One of the things of an operation. `left`: it was not its turn, or not yet. */
export interface OperationItem {
  readonly id: string;
  readonly queue: string;
  readonly outcome: "done" | "gone" | "failed" | "left";
  /** Of the job, where it was traced. */
  readonly traceId?: string;
}

export async function itemsOf(broker: Broker, id: string): Promise<readonly OperationItem[]> {
  const { operation } = await getOperation(await operationsBucket(broker), id);
  return (await plannedOf(broker, operation)).map(
    ({ item: { mark: _, to: _to, createdAt: _at, isUnread: _unread, ...which }, outcome }) => ({
      ...which,
      outcome,
    }),
  );
}

interface Planned extends Pick<OperationItem, "outcome"> {
  readonly item: PlanItem;
}

export async function plannedOf(
  broker: Broker,
  operation: StoredOperation,
): Promise<readonly Planned[]> {
  const { id } = operation;
  const plans = await plansOf(broker);
  const all: Planned[] = [];
  for (let page = 0; page < pageCount(operation.total); page += 1) {
    const { items, exceptions: settled } = await readPage(plans, id, page);
    // That of the last thing that was seen to: its page may not have been settled.
    const isUnderWay = Math.floor(Math.max(0, operation.position - 1) / PAGE_ITEMS) === page;
    const exceptions = isUnderWay ? { ...settled, ...operation.exceptions } : settled;
    for (const [place, item] of items.entries()) {
      const isSeenTo = all.length < operation.position;
      const outcome = isSeenTo ? (exceptions[place]?.what ?? "done") : "left";
      all.push({ item, outcome });
    }
  }
  return all;
}
