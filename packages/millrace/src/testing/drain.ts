import { setTimeout as realTimeout } from "node:timers";
import {
  type Broker,
  type Duration,
  formatMs,
  optionNames,
  refuseUnknown,
  toMs,
} from "@millrace/core";
import type { SimulatedClock } from "@millrace/testkit";
import type { HandlerAtWork, HandlersAtWork } from "./handlers-at-work.ts";

/** How far `drain()` goes. */
export interface DrainTimeOptions {
  /** Of simulated time. Default 30 days. */
  readonly maxTime?: Duration;
  /**
   * How long the clock stands still, in real time and for each handler, while the handler may be
   * doing real I/O. After that the clock moves, but not past the handler's timeout. Default 4 s; 0:
   * the clock waits for no I/O.
   */
  readonly patience?: Duration;
}

const NAMES = optionNames<DrainTimeOptions>({ maxTime: true, patience: true });

/**
 * Patience is counted in looks, so that a machine that stands still, or does all else slowly,
 * spends none of it.
 */
const LOOK_MS = 5;
/** What Node does not list has so long: crypto, compression. */
const UNSEEN_LOOKS = 40;

export interface DrainHost {
  readonly broker: Broker;
  readonly clock: SimulatedClock;
  readonly handlers: HandlersAtWork;
}

/** Moves the clock from timer to timer until no job is left. */
export async function drain(host: DrainHost, options: DrainTimeOptions): Promise<void> {
  refuseUnknown(options, NAMES, "drain()");
  const { maxTime = "30d", patience = "4s" } = options;
  const { broker, clock, handlers } = host;
  const endMs = clock.monotonic() + toMs(maxTime, "maxTime");
  const looks = Math.ceil(toMs(patience, "patience") / LOOK_MS);
  const passing = { isEnough: () => handlers.isAny };
  for (;;) {
    await clock.advance(0);
    if (looks > 0) await realWorkDone(host, looks);
    const left = await jobsLeft(broker);
    if (left === 0) return;
    const nextMs = clock.nextTimerInMs;
    if (nextMs === undefined)
      throw new Error(
        `${left} jobs are left and no timer is set: a handler waits for something that the clock does not move.${whoWaits(handlers.all)}`,
      );
    if (clock.monotonic() + nextMs > endMs)
      throw new Error(
        `${left} jobs are left after ${formatDuration(maxTime)} of simulated time.${whoWaits(handlers.all)}`,
      );
    if (looks > 0) refuseToCut(host, clock.monotonic() + nextMs);
    const untilMs = await firstDueInMs(host, left);
    if (untilMs === undefined || untilMs <= nextMs) await clock.advance(nextMs);
    else await clock.advance(Math.min(untilMs, endMs - clock.monotonic()), passing);
  }
}

/**
 * Where nothing but delayed jobs is left: until the first of them is due. What a node does on its
 * way there, often for weeks, needs no look at the queues.
 */
async function firstDueInMs(
  { broker, clock, handlers }: DrainHost,
  left: number,
): Promise<number | undefined> {
  if (handlers.isAny || (await broker.delayed.count()) < left) return undefined;
  const [first] = await broker.delayed.list({ limit: 1 });
  return first && first.notBefore - clock.now();
}

/** Lets real time pass until each handler has ended, or waits for nothing real, or too long. */
async function realWorkDone({ clock, handlers }: DrainHost, looks: number): Promise<void> {
  for (;;) {
    const atWork = handlers.all;
    if (atWork.length === 0) return;
    const isSeen = handlers.work.seen().length > 0;
    for (const handler of atWork) if (isSeen || handler.isThread) handler.idleLooks = 0;
    const isDone = (handler: HandlerAtWork): boolean =>
      handler.looks >= looks || handler.idleLooks >= UNSEEN_LOOKS;
    if (atWork.every(isDone)) return;
    await lookAgain(handlers.ended);
    for (const handler of atWork) {
      handler.looks += 1;
      handler.idleLooks += 1;
    }
    // What has ended meanwhile is settled.
    await clock.advance(0);
  }
}

/** In a moment, or as soon as a handler has ended. */
async function lookAgain(ended: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const moment = new Promise<void>((resolve) => (timer = realTimeout(resolve, LOOK_MS)));
  await Promise.race([ended, moment]);
  clearTimeout(timer);
}

/** @throws Error where the next step of the clock ends a handler that may be doing real I/O */
function refuseToCut({ handlers }: DrainHost, nextAtMs: number): void {
  const cut = handlers.all.filter(
    ({ deadlineMs, idleLooks }) =>
      deadlineMs !== undefined && deadlineMs <= nextAtMs && idleLooks < UNSEEN_LOOKS,
  );
  if (cut.length === 0) return;
  const open = handlers.work.seen();
  const what = open.length === 0 ? "a thread" : open.join(", ");
  throw new Error(
    `A handler is still at work, perhaps at real I/O (${what}), and the clock would pass its timeout.${whoWaits(cut)} Give drain() more patience, let what the handler waits for answer, or pass the timeout yourself with clock.advance().`,
  );
}

function whoWaits(handlers: readonly HandlerAtWork[]): string {
  if (handlers.length === 0) return "";
  const names = handlers
    .slice(0, 5)
    .map(({ context: { job, attempt } }) => `${job.name} (${job.id}, attempt ${attempt})`);
  const more = handlers.length > 5 ? ` and ${handlers.length - 5} more` : "";
  return ` At work: ${names.join(", ")}${more}.`;
}

function formatDuration(duration: Duration): string {
  return typeof duration === "string" ? duration : formatMs(toMs(duration));
}

async function jobsLeft(broker: Broker): Promise<number> {
  const queues = await broker.queues.list();
  return queues.reduce(
    (sum, { queued, running, delayed, blocked }) => sum + queued + running + delayed + blocked,
    0,
  );
}
