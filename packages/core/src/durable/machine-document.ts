import type { RecordedError } from "../errors/recorded-error.ts";
import type { HeardMachines } from "./heard-machines.ts";
import type { MachineRef } from "./machine-names.ts";

/** The bucket of documents in which machines are kept, one document a machine. */
export const MACHINES_BUCKET = "machines";

/** `active` until its chart has come to an end, or it was stopped. */
export type MachineStatus = "active" | "done" | "error" | "stopped";

export const MACHINE_STATUSES: readonly MachineStatus[] = ["active", "done", "error", "stopped"];

/** An event as a chart takes it. */
export interface MachineEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A job that stands for an actor that the chart has invoked, and whose end it waits for. */
export interface InvokedJob {
  readonly job: string;
  readonly queue: string;
  /** What the chart calls the actor's logic. */
  readonly src: string;
}

/** An event that comes by itself, unless its state is left before. */
export interface MachineTimer {
  /** Epoch milliseconds by the server's clock. */
  readonly at: number;
  readonly event: MachineEvent;
  /** Times that the chart could not take it; none where left out. */
  readonly failed?: number;
  /** It is the end of this actor's job, which the chart could not take as it came. */
  readonly endOf?: string;
}

/** One entry of the way that a machine took. */
export interface MachinePassage {
  readonly at: number;
  readonly event: string;
  /** The state that it is in since. */
  readonly value: unknown;
}

/** What follows from a transition. It is done once the document that names it is stored. */
export type MachineEffect =
  | {
      readonly do: "enqueue";
      readonly actor: string;
      readonly src: string;
      readonly job: string;
      readonly input?: unknown;
    }
  | {
      readonly do: "send";
      readonly to: MachineRef;
      readonly event: MachineEvent;
      readonly id: string;
    }
  | { readonly do: "cancel"; readonly job: string; readonly queue: string }
  | {
      readonly do: "act";
      readonly action: string;
      readonly params?: unknown;
      readonly event: MachineEvent;
    }
  | { readonly do: "log"; readonly label?: string; readonly value?: unknown }
  | { readonly do: "tick"; readonly at: number };

/** An event for another machine. */
export type SentEvent = Extract<MachineEffect, { readonly do: "send" }>;

/** Events for other machines, whose inboxes had no room for them; in their order. */
export interface UnsentEvents {
  readonly events: readonly SentEvent[];
  /** When they are sent once more. */
  readonly at: number;
  /** Times that they were sent in vain since one of them was accepted; none where left out. */
  readonly tries?: number;
}

/** An event that could not be taken: the machine is as it was before. */
export interface MachineTrouble {
  readonly at: number;
  readonly event: string;
  readonly error: RecordedError;
}

/**
 * A machine as it is stored: one document, which is written by compare-and-set alone. It is plain
 * JSON.
 */
export interface MachineDocument {
  readonly v: 1;
  readonly machine: string;
  readonly id: string;
  /** Of the definition that wrote the state. */
  readonly version: number;
  /** Tells the lives of one id apart. */
  readonly run: string;
  /** Counts the writes of this life. */
  readonly rev: number;
  readonly status: MachineStatus;
  readonly value: unknown;
  readonly context: unknown;
  readonly history?: unknown;
  readonly output?: unknown;
  readonly error?: RecordedError;
  /** The place in the inbox of the last event that was taken. */
  readonly cursor: number;
  /** Where what this write came of lies: while it is there, `pending` may be undone. */
  readonly cause: string;
  readonly pending: readonly MachineEffect[];
  readonly children: Readonly<Record<string, InvokedJob>>;
  /** Jobs that it has invoked so far. */
  readonly invoked: number;
  readonly timers: Readonly<Record<string, MachineTimer>>;
  /** What the server is asked to wake it at; it may be woken sooner, and in vain. */
  readonly tickAt?: number;
  /** Ticks that earlier documents asked for are heard no more. */
  readonly tickRev: number;
  readonly unsent?: UnsentEvents;
  /** Ids of its last events. */
  readonly seen: readonly string[];
  /** Other machines whose events it has taken. */
  readonly heard?: HeardMachines;
  readonly trail: readonly MachinePassage[];
  readonly trouble?: MachineTrouble;
  readonly startedAt: number;
  readonly changedAt: number;
}

const OWN = "own:";

/** The timer by which a machine sends an event to itself. */
export function ownTimer(rev: number, number: number): string {
  return `${OWN}${rev}:${number}`;
}

export function isOwnEvent(timer: string): boolean {
  return timer.startsWith(OWN);
}

/** The timer by which the end of an actor's job is tried again. */
export function endedTimer(actor: string): string {
  return `ended:${actor}`;
}

/** Whether an actor's job has ended, and its end is tried again. */
export function hasFailedEnd({ timers }: Pick<MachineDocument, "timers">, actor: string): boolean {
  // Earlier versions keep a timer of the chart's own there, where the chart calls it so.
  return timers[endedTimer(actor)]?.endOf === actor;
}

const HOSTS_OWN = /^(?:own|ended|raised|id):|^__proto__$/;

/** The timer that the chart calls so: never one of the host's. */
export function chartTimer(id: string): string {
  return HOSTS_OWN.test(id) ? `id:${id}` : id;
}

/** What may be the host's own, or the timer of another id. */
const AMBIGUOUS = /^(?:own|raised):\d+:\d+$|^id:(?:own|ended|raised|id):|^id:__proto__$/;

/**
 * Drops the timer that the chart calls so. An earlier version stored it under the bare id: it is
 * dropped there, too, unless that could be a timer of the host's, or of another id.
 */
export function cancelTimer(timers: Record<string, MachineTimer>, id: string): void {
  delete timers[chartTimer(id)];
  if (!HOSTS_OWN.test(id) || AMBIGUOUS.test(id) || !Object.hasOwn(timers, id)) return;
  if (timers[id]?.endOf === undefined) delete timers[id];
}

export function machineKey({ machine, id }: MachineRef): string {
  return `${machine}.${id}`;
}

/** What a host writes for a moment to be sure that there is no machine. */
export const NO_MACHINE = { v: 1, absent: true } as const;

export function isNoMachine(value: unknown): boolean {
  return ((value ?? {}) as Partial<Record<string, unknown>>)["absent"] === true;
}

/** @returns undefined for what is no machine, as the mark of one that was looked for in vain */
export function readMachine(value: unknown): MachineDocument | undefined {
  const { v, machine, id, rev, status } = (value ?? {}) as Record<string, unknown>;
  const isMachine =
    v === 1 &&
    typeof machine === "string" &&
    typeof id === "string" &&
    typeof rev === "number" &&
    typeof status === "string";
  return isMachine ? (value as MachineDocument) : undefined;
}
