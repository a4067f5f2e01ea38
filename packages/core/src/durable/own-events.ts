import type { RecordedError } from "../errors/recorded-error.ts";
import type { MillraceError } from "../errors/millrace-error.ts";
import { earliest } from "./finish-document.ts";
import {
  endedTimer,
  hasFailedEnd,
  isOwnEvent,
  type MachineDocument,
  type MachineEvent,
} from "./machine-document.ts";

/** How the job of an actor has ended. */
export interface InvokedEnd {
  readonly job: string;
  /** What its handler returned; left out where that is nothing, or where there is an error. */
  readonly output?: unknown;
  readonly error?: RecordedError;
}

/** An event that the chart is asked to take. */
export interface Taken {
  readonly take: MachineEvent;
  /** What changes in the document whether or not the chart can take it. */
  readonly also?: Partial<MachineDocument>;
  /** What stands in place of that where the chart could not take it: nobody sends it again. */
  readonly kept?: Partial<MachineDocument>;
  readonly trouble?: MillraceError;
}

/** A timer or an end that failed is tried again after so long, then after twice as long. */
const AGAIN_MS = { least: 60_000, most: 3_600_000 } as const;

export function childOf(document: MachineDocument, job: string): string | undefined {
  return Object.keys(document.children).find((actor) => document.children[actor]?.job === job);
}

/** Whether nobody waits for a job's end any more: it was heard, or failed and is tried again. */
export function isEndHeard(document: MachineDocument, job: string): boolean {
  const actor = childOf(document, job);
  return actor === undefined || hasFailedEnd(document, actor);
}

export function endEvent(
  document: MachineDocument,
  { job, output, error }: InvokedEnd,
  now: number,
): Taken | undefined {
  const actor = childOf(document, job);
  if (actor === undefined) return undefined;
  const take =
    error === undefined
      ? { type: `xstate.done.actor.${actor}`, output, actorId: actor }
      : {
          type: `xstate.error.actor.${actor}`,
          error: { type: error.type, message: error.message },
          actorId: actor,
        };
  const { timers, children } = document;
  const again = { at: now + AGAIN_MS.least, event: take, failed: 1, endOf: actor };
  return {
    take,
    also: { children: without(children, actor) },
    kept: { timers: { ...timers, [endedTimer(actor)]: again }, children },
  };
}

/** The first timer that is due. The others are asked for one by one: each is a transition. */
export function dueTimer(document: MachineDocument, now: number): Taken | undefined {
  const first = earliest(document.timers);
  if (first === undefined || first[1].at > now) return undefined;
  const [key, timer] = first;
  const { event: take, failed = 0, endOf } = timer;
  const timers = without(document.timers, key);
  const { children } = document;
  const also = {
    timers,
    ...(endOf === undefined ? {} : { children: without(children, endOf) }),
  };
  // What it sends to itself fails as any event does, and keeps its order.
  if (isOwnEvent(key)) return { take, also };
  const waitMs = Math.min(AGAIN_MS.least * 2 ** failed, AGAIN_MS.most);
  const again = { ...timer, at: now + waitMs, failed: failed + 1 };
  return { take, also, kept: { timers: { ...timers, [key]: again }, children } };
}

function without<T>(all: Readonly<Record<string, T>>, key: string): Readonly<Record<string, T>> {
  const { [key]: _gone, ...rest } = all;
  return rest;
}
