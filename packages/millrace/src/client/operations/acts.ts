import {
  type Broker,
  type Cancellation,
  cancellationKey,
  CANCELLATIONS_BUCKET,
  cancelReason,
  type Clock,
  defined,
  type DocumentStore,
  MillraceError,
  readCancellation,
  type StoredDeadLetter,
} from "@millrace/core";
import { jobKey } from "../jobs/job-key.ts";
import { cancelJob, type CancelledJob } from "../jobs/cancel-job.ts";
import { discardLetter, forgetSteps, stepsOf } from "../dead/dead-discard.ts";
import { revivedEnvelope } from "../dead/dead-retry.ts";
import { manyReviver } from "../dead/dead-revive.ts";
import { serverClock } from "../server-clock.ts";
import { type Act, type ActStep, outcomeOf } from "./act.ts";
import { keptJob, keptLetter, KeptThings } from "./kept-things.ts";
import { blockedOf } from "./blocked-of.ts";
import type { ItemOutcome, StoredOperation } from "./operation.ts";
import type { PlanItem } from "./operation-plan.ts";
import { QueueReader } from "./queue-reader.ts";
import { undoActOf } from "./undo-acts.ts";
import { thoseThatWait } from "./what-waits.ts";

export async function actOf(
  broker: Broker,
  clock: Clock,
  { id, kind, by, reason, filter }: StoredOperation,
): Promise<Act> {
  switch (kind) {
    case "jobs-cancel":
      return cancels(broker, clock, await KeptThings.of(broker, id), {
        operation: id,
        reason: cancelReason(reason ?? `cancelled by ${by}`),
      });
    case "jobs-reschedule":
      return async ({ items, inDoubt, requireHeld }, next) => {
        for (const item of items) {
          requireHeld();
          next(await outcomeOf(() => reschedule(broker, item, inDoubt)));
        }
      };
    case "dead-discard": {
      const things = await KeptThings.of(broker, id);
      const discard: LetterAct = async (letter, { place, requireHeld }) => {
        const steps = await stepsOf(broker, letter, clock.now());
        await things.keep(place, { letter, steps });
        requireHeld();
        return discardLetter({ broker, clock }, letter, steps);
      };
      return onLetters(broker, discard, async (place) => {
        const kept = await things.read(place);
        if (kept !== undefined && kept.steps.length > 0)
          await forgetSteps({ broker, clock }, keptLetter(kept), async () => {});
      });
    }
    case "dead-retry": {
      const [revive, server, things] = await Promise.all([
        manyReviver({ broker, clock }),
        serverClock(broker, clock),
        KeptThings.of(broker, id),
      ]);
      return onLetters(broker, async (letter, { place, requireHeld }) => {
        const revived = revivedEnvelope(letter, server.now(), broker);
        await things.keep(place, { letter, steps: [] });
        return (await revive(letter, revived, requireHeld)) !== "gone";
      });
    }
    case "discard-undo":
    case "cancel-undo":
    case "retry-undo":
      return undoActOf(broker, clock, { id, kind, undoes: String(filter["undoes"]) });
  }
}

interface LetterPlace extends Pick<ActStep, "requireHeld"> {
  readonly place: number;
}

type LetterAct = (letter: StoredDeadLetter, where: LetterPlace) => Promise<boolean>;

/** @param finish sees to what whoever has removed a letter may have died before */
function onLetters(
  broker: Broker,
  act: LetterAct,
  finish: (place: number) => Promise<void> = async () => {},
): Act {
  return async ({ items, from, inDoubt, requireHeld }, next) => {
    const letters = await lettersOf(broker, items);
    for (const [index, { mark = 0 }] of items.entries()) {
      const letter = letters.get(mark);
      const place = from + index;
      requireHeld();
      if (letter !== undefined) next(await outcomeOf(() => act(letter, { place, requireHeld })));
      else if (!inDoubt) next({ what: "gone" });
      else {
        // Who began with it has removed it.
        const finished = async (): Promise<boolean> => {
          await finish(place);
          return true;
        };
        next(await outcomeOf(finished));
      }
    }
  };
}

/** What waits is kept before it is cancelled; what a node settles leaves no payload behind. */
function cancels(broker: Broker, clock: Clock, things: KeptThings, why: Why): Act {
  const reader = new QueueReader(broker);
  const { reason } = why;
  return async ({ items: planned, from, requireHeld }, next) => {
    const cancellations = await broker.documents(CANCELLATIONS_BUCKET);
    const items = planned.map(toCancel);
    const waiting = await thoseThatWait(broker, reader, items);
    const outcomes: ItemOutcome[] = [];
    try {
      for (const [index, item] of items.entries()) {
        const found = waiting.get(item);
        const cancelled = async (): Promise<boolean> => {
          // What an earlier try has cancelled already is not as it was.
          if (found !== undefined && found.cancelled === undefined)
            await things.keep(from + index, keptJob(found, clock.now()));
          requireHeld();
          const { id, queue, createdAt } = item;
          if (createdAt === undefined) throw unknownJob(item, "cancelled");
          const cancellation = { ...why, createdAt, at: clock.now() };
          const stored = await storeOwn(cancellations, item, cancellation);
          // Somebody else's stays, and no undo of this operation takes it back.
          if (stored === undefined) return false;
          const job = { id, queue, createdAt, stored, letInByCaller: true } as const;
          return cancel(broker, clock, job, reason);
        };
        outcomes.push(await outcomeOf(cancelled));
      }
    } finally {
      // Those that were cancelled before one met a defect, too.
      for (const outcome of await letIn(broker, { items, outcomes, reason }, requireHeld))
        next(outcome);
    }
  };
}

type Why = Pick<Cancellation, "operation" | "reason">;

/** @returns its revision; nothing where somebody else has cancelled the very job */
async function storeOwn(
  cancellations: DocumentStore,
  job: PlanItem,
  cancellation: Cancellation,
): Promise<number | undefined> {
  const key = cancellationKey(job, cancellation.createdAt);
  for (;;) {
    try {
      return await cancellations.put(key, cancellation, 0);
    } catch (error) {
      if (!MillraceError.is(error, "revision-conflict")) throw error;
    }
    const found = await cancellations.get(key);
    // A node has settled the job since, and has removed it.
    if (found === undefined) continue;
    const { operation } = readCancellation(found.value);
    return operation === cancellation.operation ? found.revision : undefined;
  }
}

/** What an operation has cancelled. */
interface Cancelled {
  readonly items: readonly PlanItem[];
  readonly outcomes: readonly ItemOutcome[];
  readonly reason: string;
}

/** Plans of earlier versions have the enqueue of a job in its mark. */
function toCancel(item: PlanItem): PlanItem {
  const { createdAt = item.mark } = item;
  return { ...item, ...defined({ createdAt }) };
}

/**
 * Cancelled jobs that are blocked at gates would be settled no sooner than they are let in. Those
 * that came there since the look at what waits are among them.
 */
async function letIn(
  broker: Broker,
  { items, outcomes, reason }: Cancelled,
  requireHeld: () => void,
): Promise<readonly ItemOutcome[]> {
  const cancelled = items.filter((_, index) => outcomes[index]?.what === "done");
  const blocked = await blockedOf(broker, cancelled);
  if (blocked.size === 0) return outcomes;
  const after: ItemOutcome[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    const job = items[index] && blocked.get(jobKey(items[index]));
    if (job === undefined || outcome.what !== "done") {
      after.push(outcome);
      continue;
    }
    const { sequence, envelope } = job;
    const { id, queue, createdAt } = envelope;
    after.push(
      await outcomeOf(async () => {
        requireHeld();
        await broker.blocked.releaseJob(queue, id, { createdAt, sequence, reason });
        return true;
      }),
    );
  }
  return after;
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
  job: CancelledJob,
  reason: string,
): Promise<boolean> {
  try {
    const { state } = await cancelJob(broker, clock, job, reason, {});
    return state === "cancelling" || state === "cancelled";
  } catch (error) {
    if (MillraceError.is(error, "job-not-found")) return false;
    throw error;
  }
}

/** Only where it still waits for the time at which it was met. */
async function reschedule(
  { delayed }: Broker,
  { id, queue, createdAt, isUnread, mark = 0, to }: PlanItem,
  inDoubt: boolean,
): Promise<boolean> {
  if (isUnread === true) throw unknownJob({ id, queue }, "moved");
  // Plans of earlier versions tell a job by its time alone.
  const meant = defined({ createdAt });
  if (await delayed.move(id, queue, to ?? "now", { ...meant, from: mark })) return true;
  if (!inDoubt) return false;
  // Who began with it has moved it; one that was sent to its queue is seen no more.
  return to === undefined || delayed.move(id, queue, to, { ...meant, from: to });
}

function unknownJob({ id, queue }: PlanItem, what: "cancelled" | "moved"): MillraceError {
  return new MillraceError(
    "invalid-envelope",
    `It is not known which job ${id} of the queue ${queue} was meant: it could not be read when the operation began, or an earlier version began it. None was ${what}.`,
  );
}
