import {
  type Broker,
  cancelReason,
  type Clock,
  type ErrorCode,
  MillraceError,
  type StoredDeadLetter,
} from "@millrace/core";
import { maskText } from "@millrace/telemetry/masking";
import { cancelJob } from "../jobs/cancel-job.ts";
import { discardLetter } from "../dead/dead-discard.ts";
import { revivedEnvelope } from "../dead/dead-retry.ts";
import { manyReviver } from "../dead/dead-revive.ts";
import { livesAgain } from "../dead/lives-again.ts";
import type { ItemOutcome, StoredOperation } from "./operation.ts";
import type { PlanItem } from "./operation-plan.ts";

/** Changes things, some at a time. */
export interface Act {
  /**
   * @param inDoubt whether they may have been changed by somebody who died before saying so
   * @param next called after each, with what became of it; throws to end it
   * @throws MillraceError of a server that is away: then nobody knows of the one that was next
   */
  (
    items: readonly PlanItem[],
    inDoubt: boolean,
    next: (outcome: ItemOutcome) => void,
  ): Promise<void>;
}

export async function actOf(
  broker: Broker,
  clock: Clock,
  { kind, by, reason }: Pick<StoredOperation, "kind" | "by" | "reason">,
): Promise<Act> {
  switch (kind) {
    case "jobs-cancel":
      return async (items, _inDoubt, next) => {
        for (const item of items)
          next(await outcomeOf(() => cancel(broker, clock, item, reason ?? `cancelled by ${by}`)));
      };
    case "jobs-reschedule":
      return async (items, inDoubt, next) => {
        for (const item of items) next(await outcomeOf(() => reschedule(broker, item, inDoubt)));
      };
    case "dead-discard":
      return onLetters(broker, (letter) => discardLetter(broker, letter, clock.now()));
    case "dead-retry": {
      const now = (): number => clock.now();
      const revive = await manyReviver(broker, now);
      return onLetters(broker, async (letter, inDoubt) => {
        const revived = revivedEnvelope(letter, now(), broker);
        // It lives already: a second publish may be a second run, once its id is forgotten.
        if (inDoubt && (await livesAgain(broker, revived)))
          return broker.deadLetters.remove(letter.sequence);
        await revive(letter, revived);
        return true;
      });
    }
  }
}

function onLetters(
  broker: Broker,
  act: (letter: StoredDeadLetter, inDoubt: boolean) => Promise<boolean>,
): Act {
  return async (items, inDoubt, next) => {
    const letters = await lettersOf(broker, items);
    for (const { mark = 0 } of items) {
      const letter = letters.get(mark);
      // In doubt, who began with it has removed it.
      if (letter === undefined) next({ what: inDoubt ? "done" : "gone" });
      else next(await outcomeOf(() => act(letter, inDoubt)));
    }
  };
}

/** Those of the items that are left. */
async function lettersOf(
  broker: Broker,
  items: readonly PlanItem[],
): Promise<ReadonlyMap<number, StoredDeadLetter>> {
  const marks = new Set(items.map(({ mark = 0 }) => mark));
  const last = items.at(-1)?.mark ?? 0;
  const queues = new Set(items.map(({ queue }) => queue));
  const [queue] = queues;
  const where = queues.size === 1 && queue !== undefined ? { queue } : {};
  const letters = new Map<number, StoredDeadLetter>();
  for (let after = (items[0]?.mark ?? 1) - 1; after < last;) {
    const page = await broker.deadLetters.list({ ...where, after, limit: items.length * 2 });
    for (const letter of page) if (marks.has(letter.sequence)) letters.set(letter.sequence, letter);
    after = page.at(-1)?.sequence ?? last;
  }
  return letters;
}

async function cancel(
  broker: Broker,
  clock: Clock,
  { id, queue, mark }: PlanItem,
  reason: string,
): Promise<boolean> {
  const job = { id, queue, ...(mark === undefined ? {} : { createdAt: mark }) };
  try {
    const { state } = await cancelJob(broker, clock, job, cancelReason(reason), {});
    return state === "cancelling" || state === "cancelled";
  } catch (error) {
    if (MillraceError.is(error, "job-not-found")) return false;
    throw error;
  }
}

/** Only where it still waits for the time at which it was met. */
async function reschedule(
  { delayed }: Broker,
  { id, queue, mark = 0, to }: PlanItem,
  inDoubt: boolean,
): Promise<boolean> {
  if (await delayed.move(id, queue, to ?? "now", { from: mark })) return true;
  // Who began with it has moved it; one that was sent to its queue is seen no more.
  return inDoubt && (to === undefined || (await delayed.move(id, queue, to, { from: to })));
}

/** What says nothing of the thing itself: it is tried again. */
const AWAY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "broker-unavailable",
  "connection-closed",
  "publish-timeout",
  "request-timeout",
  "server-unreachable",
  "revision-conflict",
]);

async function outcomeOf(act: () => Promise<boolean>): Promise<ItemOutcome> {
  try {
    return { what: (await act()) ? "done" : "gone" };
  } catch (error) {
    if (!MillraceError.is(error) || AWAY.has(error.code)) throw error;
    return { what: "failed", code: error.code, message: maskText(error.message).slice(0, 300) };
  }
}
