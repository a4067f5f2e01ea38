import type { MachineDocument, MachineTimer, SentEvent } from "./machine-document.ts";
import { alsoUnsent, behindUnsent, sentInVain } from "./unsent-events.ts";

/** A tick that is so late has gone astray, and another is asked for. */
const ASTRAY_MS = 60_000;
const LONGEST_TRAIL = 20;
/** Of an event's type where it is noted: whoever may send an event chooses how long it is. */
const LONGEST_TYPE = 128;
/**
 * The server is not asked for a tick that is further ahead: a chart may set a timer for a time that
 * no date has. A tick that comes before its timer asks anew.
 */
const LONGEST_TICK_MS = 365 * 24 * 3_600_000;

/** An event's type as a document notes it. */
export function notedType(type: string): string {
  return type.length <= LONGEST_TYPE ? type : `${type.slice(0, LONGEST_TYPE - 1)}…`.toWellFormed();
}

/** What the server is asked for, where a machine has something to do at a time. */
export function tickTime(at: number, now: number): number {
  return Math.min(at, now + LONGEST_TICK_MS);
}

export function earliest(
  timers: MachineDocument["timers"],
): readonly [string, MachineTimer] | undefined {
  let first: readonly [string, MachineTimer] | undefined;
  for (const one of Object.entries(timers))
    if (first === undefined || one[1].at < first[1].at) first = one;
  return first;
}

/** When the machine has something to do by itself: a timer, or events that were refused. */
export function nextTimerAt({
  timers,
  unsent,
}: Pick<MachineDocument, "timers" | "unsent">): number | undefined {
  const timer = earliest(timers)?.[1].at;
  if (unsent === undefined) return timer;
  return timer === undefined ? unsent.at : Math.min(timer, unsent.at);
}

/**
 * Notes the way, keeps the order of what it sends, and asks for a tick where none is under way that
 * comes soon enough.
 */
export function finish(
  given: MachineDocument,
  event: string | undefined,
  now: number,
): MachineDocument {
  const document = behindUnsent(given);
  const trail =
    event === undefined
      ? document.trail
      : [...document.trail, { at: now, event: notedType(event), value: document.value }].slice(
          -LONGEST_TRAIL,
        );
  const next = nextTimerAt(document);
  const first = next === undefined ? undefined : tickTime(next, now);
  const { tickAt } = document;
  const isAsked =
    first === undefined || (tickAt !== undefined && tickAt > now - ASTRAY_MS && tickAt <= first);
  return {
    ...document,
    trail,
    ...(isAsked
      ? {}
      : {
          tickAt: first,
          tickRev: document.rev,
          pending: [...document.pending, { do: "tick", at: first }],
        }),
  };
}

/**
 * A document that keeps what it sent and the other machine's inbox had no room for. The event that
 * all this came of can go: it would else fill this machine's own inbox, and two machines that send
 * to each other would wait for each other for ever.
 */
export function keepUnsent(
  document: MachineDocument,
  refused: readonly SentEvent[],
  now: number,
): MachineDocument {
  const next = { ...document, rev: document.rev + 1, pending: [], changedAt: now };
  return finish(alsoUnsent(next, refused, now), undefined, now);
}

/**
 * A document whose unsent events were sent once more. It is stored before anything else is done:
 * those that were accepted would else be sent again and again.
 *
 * @param cause where what is being taken lies
 */
export function afterSentAgain(
  document: MachineDocument,
  refused: readonly SentEvent[],
  { cause, now }: { readonly cause: string; readonly now: number },
): MachineDocument {
  const next = { ...document, rev: document.rev + 1, cause, pending: [], changedAt: now };
  return finish(sentInVain(next, refused, now), undefined, now);
}
