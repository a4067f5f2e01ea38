import { randomBytes } from "node:crypto";
import { MillraceError } from "../errors/millrace-error.ts";
import { type RecordedError, recordError } from "../errors/recorded-error.ts";
import { type ChartState, firstState, nextState, revive } from "./chart-step.ts";
import type { MachineDefinition } from "./define-machine.ts";
import { hear, wasHeard } from "./heard-machines.ts";
import { sentBy } from "./machine-address.ts";
import type { MachineDocument, MachineEvent } from "./machine-document.ts";
import { finish, notedType } from "./finish-document.ts";
import type { MachineRef } from "./machine-names.ts";
import { dueTimer, endEvent, type InvokedEnd, isEndHeard, type Taken } from "./own-events.ts";
import { notPlain } from "./plain-value.ts";

/** What comes to a machine, and where it lies in the inbox. */
export type Occurrence = { readonly sequence: number; readonly place: string } & (
  | { readonly kind: "event"; readonly event: MachineEvent; readonly eventId: string | undefined }
  /** Not even JSON, or no event. */
  | { readonly kind: "unreadable"; readonly why: string }
  /** Of a machine that is there already. */
  | { readonly kind: "start" }
  | { readonly kind: "stop" }
  | { readonly kind: "end"; readonly end: InvokedEnd }
  | {
      readonly kind: "tick";
      /** The life and the document that asked for it. */
      readonly run: string;
      readonly rev: number;
    }
);

export interface Beginning extends MachineRef {
  readonly input: unknown;
  readonly sequence: number;
  readonly place: string;
  readonly now: number;
}

const MOST_SEEN = 32;

/**
 * A machine's first document.
 *
 * A chart that fails in its very beginning is stored as failed: whoever looks finds out why.
 */
export function startMachine(
  definition: MachineDefinition,
  { machine, id, input, sequence, place, now }: Beginning,
): MachineDocument {
  const own = {
    ...({ v: 1, machine, id, version: definition.version } as const),
    // Nobody foresees it: who may send to another machine could else take the ids of this one's
    // events in advance, and those would be dropped.
    run: randomBytes(8).toString("base64url"),
    ...{ rev: 1, cursor: sequence, cause: place, tickRev: 0, seen: [], startedAt: now },
  };
  let state: ChartState;
  try {
    state = firstState(definition, own, input, now);
  } catch (error) {
    state = failed(null, error);
  }
  return finish({ ...own, ...state, trail: [], changedAt: now }, "xstate.init", now);
}

/**
 * What becomes of a machine by what comes to it. Pure: nothing is done but what the document's
 * `pending` says, once it is stored.
 *
 * @returns undefined where there is nothing to write
 */
export function stepMachine(
  definition: MachineDefinition,
  stored: MachineDocument,
  occurrence: Occurrence,
  now: number,
): MachineDocument | undefined {
  if (isBehind(stored, occurrence) || isStray(stored, occurrence)) return undefined;
  const document = heard(ofThisVersion(definition, stored), occurrence);
  const event = eventOf(document, occurrence, now);
  const next = { ...advanced(document, occurrence, now), ...event?.also };
  if (event === undefined || document.status !== "active") return finish(next, undefined, now);
  try {
    if (event.trouble !== undefined) throw event.trouble;
    const { history: _h, output: _o, error: _e, ...rest } = next;
    const state = nextState(
      definition,
      { ...rest, rev: document.rev, ...historyOf(next) },
      event.take,
      now,
    );
    return finish({ ...rest, ...state }, event.take.type, now);
  } catch (error) {
    const trouble = { at: now, event: notedType(event.take.type), error: plainError(error) };
    return finish({ ...next, ...event.kept, trouble }, undefined, now);
  }
}

/** A tick that came is under way no longer, and none that was asked for so far is heard again. */
function heard(document: MachineDocument, { kind }: Occurrence): MachineDocument {
  if (kind !== "tick") return document;
  const { tickAt: _came, ...rest } = document;
  return { ...rest, tickRev: document.rev + 1 };
}

/**
 * A tick that another took the place of, or that was heard before. That the second is seen is what
 * keeps one message from being the cause of two documents: while one host does what follows from
 * the second, another may let the message go for the first.
 */
function isStray(
  { status, run, tickRev, unsent }: MachineDocument,
  occurrence: Occurrence,
): boolean {
  if (occurrence.kind !== "tick") return false;
  const isAwaited = status === "active" || unsent !== undefined;
  return !isAwaited || occurrence.run !== run || occurrence.rev < tickRev;
}

function historyOf({ history }: MachineDocument): Pick<MachineDocument, "history"> {
  return history === undefined ? {} : { history };
}

/** An event that was taken before, or an end that was heard: both are told for ever by one look. */
function isBehind(document: MachineDocument, occurrence: Occurrence): boolean {
  if (occurrence.kind === "tick") return false;
  if (occurrence.kind === "end") return isEndHeard(document, occurrence.end.job);
  return occurrence.sequence <= document.cursor;
}

/** @returns undefined where the chart is not to be asked */
function eventOf(
  document: MachineDocument,
  occurrence: Occurrence,
  now: number,
): Taken | undefined {
  switch (occurrence.kind) {
    case "start":
      return undefined;
    case "stop":
      return { take: { type: "xstate.stop" } };
    case "unreadable":
      return { take: { type: "(unreadable)" }, trouble: badEvent(occurrence.why) };
    case "event": {
      const { event, eventId } = occurrence;
      if (wasTaken(document, eventId)) return undefined;
      if (!event.type.startsWith("xstate.")) return { take: event };
      return { take: event, trouble: badEvent("its type begins with xstate.") };
    }
    case "end":
      return endEvent(document, occurrence.end, now);
    case "tick":
      return dueTimer(document, now);
  }
}

function badEvent(why: string): MillraceError {
  return new MillraceError("invalid-message", `An event could not be taken: ${why}.`);
}

/** The document one writing further, with nothing left to do of the one before. */
function advanced(document: MachineDocument, occurrence: Occurrence, now: number): MachineDocument {
  return {
    ...document,
    rev: document.rev + 1,
    cause: occurrence.place,
    pending: [],
    changedAt: now,
    ...placeOf(document, occurrence, now),
  };
}

function placeOf(
  document: MachineDocument,
  occurrence: Occurrence,
  now: number,
): Partial<Pick<MachineDocument, "cursor" | "heard" | "seen">> {
  const { kind, sequence: cursor } = occurrence;
  if (kind === "end" || kind === "tick") return {};
  const eventId = kind === "event" ? occurrence.eventId : undefined;
  if (eventId === undefined || wasTaken(document, eventId)) return { cursor };
  const { seen, heard: before = {} } = document;
  const by = sentBy(eventId);
  return by === undefined
    ? { cursor, seen: [...seen, eventId].slice(-MOST_SEEN) }
    : { cursor, heard: hear(before, by, now) };
}

/** An event that was sent twice has one id, and is taken once. */
function wasTaken(
  { seen, heard: before = {} }: MachineDocument,
  eventId: string | undefined,
): boolean {
  if (eventId === undefined) return false;
  const by = sentBy(eventId);
  return seen.includes(eventId) || (by !== undefined && wasHeard(before, by));
}

/**
 * What becomes of a machine whose next document can't be stored: the event has failed. Then a
 * smaller one, where a timer or a job's end is over instead of being tried again.
 */
export function refuseStep(
  stored: MachineDocument,
  occurrence: Occurrence,
  error: unknown,
  now: number,
): readonly [MachineDocument, MachineDocument] {
  const document = heard(stored, occurrence);
  const { also, kept } = eventOf(document, occurrence, now) ?? {};
  const trouble = { at: now, event: occurrence.kind, error: plainError(error) };
  const refused = { ...advanced(document, occurrence, now), ...also, trouble };
  return [finish({ ...refused, ...kept }, undefined, now), finish(refused, undefined, now)];
}

/** What becomes of a machine whose first document can't be stored: it failed in its beginning. */
export function refuseStart(begun: MachineDocument, error: unknown, now: number): MachineDocument {
  const { history: _h, output: _o, tickAt: _t, ...own } = begun;
  return finish({ ...own, ...failed(null, error), trail: [] }, "xstate.init", now);
}

/**
 * Smaller ones than a refusal, for a machine that was stored before there was room for one: without
 * its way and the ids of its earlier events; then a machine that has failed. Both still cancel the
 * jobs that a stop cancels.
 */
export function lastResorts(
  refused: MachineDocument,
  error: unknown,
): readonly [MachineDocument, MachineDocument] {
  // The last id may be that of the event in hand, which may come a second time.
  const smaller = { ...refused, trail: [], seen: refused.seen.slice(-1) };
  const { history: _h, output: _o, tickAt: _t, heard: _heard, ...own } = smaller;
  const pending = [
    // A stopped machine has no children any more.
    ...refused.pending.filter((effect) => effect.do === "cancel"),
    ...Object.values(refused.children).map(
      ({ job, queue }) => ({ do: "cancel", job, queue }) as const,
    ),
  ];
  return [smaller, { ...own, ...failed(refused.value, error), invoked: refused.invoked, pending }];
}

function failed(value: unknown, error: unknown): ChartState {
  return {
    ...({ status: "error", value, context: null, error: plainError(error) } as const),
    ...{ children: {}, timers: {}, invoked: 0, pending: [] },
  };
}

/**
 * What a newer version of a chart has asked for may be unknown here: it is left to a node that has
 * that version, also where the machine has ended by it.
 *
 * @throws MillraceError `machine-mismatch`
 */
export function requireNotNewer(definition: MachineDefinition, document: MachineDocument): void {
  if (document.version > definition.version)
    throw mismatch(definition, document, "it waits for a node that has the newer one");
}

/** @throws MillraceError `machine-mismatch` */
export function ofThisVersion(
  definition: MachineDefinition,
  document: MachineDocument,
): MachineDocument {
  const { version, migrate } = definition;
  if (document.version === version || document.status !== "active") return document;
  const refused = (why: string, cause?: unknown): MillraceError =>
    mismatch(definition, document, why, cause);
  requireNotNewer(definition, document);
  if (migrate === undefined) throw refused("give defineMachine() a migrate function");
  let migrated: Pick<MachineDocument, "value" | "context">;
  try {
    const { value, context } = migrate(
      { value: document.value, context: structuredClone(document.context) },
      document.version,
    );
    migrated = { value, context };
  } catch (error) {
    throw refused(`its migrate function threw (${plainError(error).message})`, error);
  }
  const trouble = notPlain(migrated.value, "value") ?? notPlain(migrated.context, "context");
  if (trouble !== undefined)
    throw refused(`its migrate function gives what can't be stored as JSON: ${trouble}`);
  const { history: _gone, ...rest } = document;
  const moved = { ...rest, ...migrated, version };
  try {
    // Stored with its new version it would not be migrated again, however wrong it is.
    revive(definition, moved);
  } catch (error) {
    throw refused(
      `its migrate function gives what the chart can't go on from (${plainError(error).message})`,
      error,
    );
  }
  return moved;
}

function mismatch(
  { name, version }: MachineDefinition,
  document: MachineDocument,
  why: string,
  cause?: unknown,
): MillraceError {
  return new MillraceError(
    "machine-mismatch",
    `The machine ${name} ${document.id} was stored by version ${document.version} of its chart, and this node has version ${version}: ${why}.`,
    cause === undefined ? {} : { cause },
  );
}

function plainError(thrown: unknown): RecordedError {
  const { type, message } = recordError(thrown, "Error");
  return { type, message };
}
