import { type AnyMachineSnapshot, initialTransition, transition } from "xstate";
import { Buffer } from "node:buffer";
import { MAX_EVENT_BYTES, MAX_WAITING_EVENTS } from "../broker/stores/inbox-store.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { recordError } from "../errors/recorded-error.ts";
import type { MachineDefinition } from "./define-machine.ts";
import { newInvokedId } from "../ids/invoked-id.ts";
import {
  cancelTimer,
  chartTimer,
  endedTimer,
  hasFailedEnd,
  type InvokedJob,
  isOwnEvent,
  type MachineDocument,
  type MachineEffect,
  type MachineEvent,
  type MachineTimer,
  ownTimer,
} from "./machine-document.ts";
import { readMachineAddress, sentEventId } from "./machine-address.ts";
import { notPlain, requireFewValues, requirePlain, requireSendableEvent } from "./plain-value.ts";

/** What a chart made of an event: the part of a document that is the chart's. */
export type ChartState = Pick<
  MachineDocument,
  | "status"
  | "value"
  | "context"
  | "history"
  | "output"
  | "error"
  | "children"
  | "invoked"
  | "timers"
  | "pending"
>;

type Owner = Pick<MachineDocument, "machine" | "id" | "run" | "rev">;
type Executable = ReturnType<typeof transition>[1][number];

/** The mutable copy that a transition's actions are written into. */
interface Draft {
  readonly children: Record<string, InvokedJob>;
  readonly timers: Record<string, MachineTimer>;
  readonly effects: MachineEffect[];
  readonly born: Set<string>;
  invoked: number;
  /** Timers that it has set, those that were cancelled since among them. */
  set: number;
}

/**
 * A chart's beginning.
 *
 * @throws whatever the chart throws; MillraceError `machine-unsupported`
 */
export function firstState(
  definition: MachineDefinition,
  owner: Owner,
  input: unknown,
  now: number,
): ChartState {
  const [snapshot, actions] = initialTransition(definition.inert, input as never);
  const first = snapshot as AnyMachineSnapshot;
  // What is thrown in the beginning is kept by XState, not thrown.
  if (first.status === "error") throw first.error;
  const draft = newDraft({ children: {}, timers: {}, invoked: 0 }, []);
  return settle(definition, owner, { snapshot: first, actions, draft, event: INIT, now });
}

/**
 * What an event makes of a machine.
 *
 * @throws whatever a guard or an assign throws; MillraceError `machine-unsupported`
 */
export function nextState(
  definition: MachineDefinition,
  document: MachineDocument,
  event: MachineEvent,
  now: number,
): ChartState {
  const before = revive(definition, document);
  const [snapshot, actions] = transition(definition.inert, before, event as never);
  const draft = newDraft(document, Object.keys(before.children));
  const owner = { ...document, rev: document.rev + 1 };
  return settle(definition, owner, {
    ...{ actions, draft, event, now },
    snapshot: snapshot as AnyMachineSnapshot,
  });
}

function newDraft(
  { children, timers, invoked }: Pick<MachineDocument, "children" | "timers" | "invoked">,
  born: readonly string[],
): Draft {
  const kept = { children: { ...children }, timers: { ...timers }, invoked };
  return { ...kept, effects: [], born: new Set(born), set: 0 };
}

const INIT: MachineEvent = { type: "xstate.init" };

/** A stored state as XState has it, with stand-ins for the jobs that it waits for. */
export function revive(
  { inert }: MachineDefinition,
  { status, value, context, history, children }: MachineDocument,
): AnyMachineSnapshot {
  const waiting = Object.entries(children).map(([actor, { src }]) => [
    actor,
    {
      ...{ src, syncSnapshot: false, systemId: undefined },
      snapshot: { status: "active", output: undefined, error: undefined, input: undefined },
    },
  ]);
  const stored = {
    ...{ status, output: undefined, error: undefined },
    value,
    // XState may write into it.
    context: structuredClone(context),
    historyValue: history ?? {},
    children: Object.fromEntries(waiting) as object,
  };
  return inert.restoreSnapshot(stored, { self: undefined } as never) as AnyMachineSnapshot;
}

interface Outcome {
  readonly snapshot: AnyMachineSnapshot;
  readonly actions: readonly Executable[];
  readonly draft: Draft;
  readonly event: MachineEvent;
  readonly now: number;
}

function settle(
  definition: MachineDefinition,
  owner: Owner,
  { snapshot, actions, draft, event, now }: Outcome,
): ChartState {
  for (const action of actions) carry(definition, owner, draft, { action, event, now });
  for (const [actor, ref] of Object.entries(snapshot.children))
    if (ref !== undefined && !draft.born.has(actor))
      throw unsupported(`the actor ${actor} was spawned in assign(), of which no trace is left`);
  const { status, output, error } = snapshot;
  const over = status !== "active";
  if (over) for (const actor of Object.keys(draft.children)) leave(draft, actor);
  const stored = definition.inert.getPersistedSnapshot({ ...snapshot, children: {} } as never) as {
    readonly historyValue?: object;
  };
  const history = stored.historyValue ?? {};
  const { value, context } = snapshot;
  for (const [what, held] of Object.entries({ context, output: output as unknown, history }))
    requirePlain(held, what);
  return {
    ...{ status, value, context: context as unknown },
    ...(Object.keys(history).length === 0 ? {} : { history }),
    ...(output === undefined ? {} : { output: output as unknown }),
    ...(error === undefined ? {} : { error: recordedOf(error) }),
    children: draft.children,
    timers: over ? {} : draft.timers,
    invoked: draft.invoked,
    pending: draft.effects,
  };
}

/** An actor's error is plain already: it comes out of a job's record. */
function recordedOf(error: unknown): { readonly type: string; readonly message: string } {
  const { type, message } = (error ?? {}) as {
    readonly type?: unknown;
    readonly message?: unknown;
  };
  if (!(error instanceof Error) && typeof type === "string" && typeof message === "string")
    return { type, message };
  const recorded = recordError(error, "Error");
  return { type: recorded.type, message: recorded.message };
}

interface Carried {
  readonly action: Executable;
  readonly event: MachineEvent;
  readonly now: number;
}

function carry(
  definition: MachineDefinition,
  owner: Owner,
  draft: Draft,
  { action, event, now }: Carried,
): void {
  const params = (action.params ?? {}) as Record<string, unknown>;
  switch (action.type) {
    case "xstate.raise":
      return raise(owner, draft, params, now);
    case "xstate.cancel":
      return cancelTimer(draft.timers, String(params["sendId"]));
    case "xstate.spawnChild":
      return spawn(definition, owner, draft, params);
    case "xstate.stopChild": {
      const actor = (action.params as { readonly id?: string } | undefined)?.id;
      if (actor !== undefined) leave(draft, actor);
      return;
    }
    case "xstate.sendTo":
      return send(definition, owner, draft, { params, now });
    case "xstate.log":
      draft.effects.push({
        do: "log",
        ...(typeof params["label"] === "string" ? { label: params["label"] } : {}),
        ...(notPlain(params["value"], "") === undefined ? { value: params["value"] } : {}),
      });
      return;
    default:
      return act(definition, draft, action, event);
  }
}

function raise(
  { rev }: Owner,
  draft: Draft,
  { event, id, delay }: Record<string, unknown>,
  now: number,
): void {
  // Without a delay it was taken in this very transition.
  if (typeof delay !== "number") return;
  requirePlain(event, "a raised event");
  const raised = event as MachineEvent;
  draft.set += 1;
  if (!Number.isFinite(delay))
    throw unsupported(
      `the delay of ${raised.type} is ${delay}. Give milliseconds; for never, leave the delay out of the chart`,
    );
  // One that is raised anew under an id takes the earlier one's place.
  if (typeof id === "string") cancelTimer(draft.timers, id);
  const key = typeof id === "string" ? chartTimer(id) : `raised:${rev}:${draft.set}`;
  draft.timers[key] = { at: now + Math.max(0, delay), event: raised };
}

function spawn(
  { jobs }: MachineDefinition,
  { machine, id, run }: Owner,
  draft: Draft,
  { actorRef, src, input }: Record<string, unknown>,
): void {
  const actor = (actorRef as { readonly id?: string } | undefined)?.id;
  const job = typeof src === "string" ? jobs[src] : undefined;
  if (actor === undefined || typeof src !== "string" || job === undefined)
    throw unsupported(`there is no actor ${String(src)} in setup({ actors }), and no job for it`);
  draft.invoked += 1;
  const jobId = newInvokedId({ machine, id, run, number: draft.invoked });
  requirePlain(input, `the input of ${src}`);
  draft.born.add(actor);
  draft.children[actor] = { job: jobId, queue: job.queue, src };
  draft.effects.push({
    ...{ do: "enqueue", actor, src, job: jobId },
    ...(input === undefined ? {} : { input }),
  });
}

/** Where it may go is the definition's to say: an address may come out of an event. */
function send(
  { sendsTo }: MachineDefinition,
  owner: Owner,
  draft: Draft,
  { params, now }: { readonly params: Record<string, unknown>; readonly now: number },
): void {
  const { to: target, event, delay } = params;
  const to = readMachineAddress(target);
  if (to === undefined || !sendsTo.includes(to.machine))
    throw unsupported(
      `it sends to ${to === undefined ? "what is no machine" : `the machine ${to.machine}, which its sendsTo does not name`}`,
    );
  if (delay !== undefined)
    throw unsupported("it sends with a delay. raise() an event with one, and send then");
  const isOwn = to.machine === owner.machine && to.id === owner.id;
  const place = `an event for the machine ${to.machine}`;
  // One to itself stands in the document, where this program alone has written.
  if (isOwn) requirePlain(event, place);
  else requireSendableEvent(event, place);
  const data = Buffer.from(JSON.stringify(event));
  if (data.length > MAX_EVENT_BYTES)
    throw new MillraceError(
      "payload-too-large",
      `The event for the machine ${to.machine} takes ${data.length} bytes, and ${MAX_EVENT_BYTES} is the most.`,
    );
  requireFewValues(data, `The event for the machine ${to.machine}`);
  if (isOwn) return keepOwn(owner, draft, event as MachineEvent, now);
  const { effects } = draft;
  const sent = effects.filter((one) => one.do === "send").length;
  const id = sentEventId(owner, sent);
  effects.push({ do: "send", to, event: event as MachineEvent, id });
}

/**
 * As many as may wait in an inbox: a chart that sends itself two for each that it takes has more
 * and more of them.
 */
const MOST_OWN = MAX_WAITING_EVENTS;

/**
 * What a machine sends to itself stands in its document, as a timer that is due. Its inbox may be
 * full, and the event in hand is a part of that: the machine would wait for itself.
 */
function keepOwn({ rev }: Owner, draft: Draft, event: MachineEvent, now: number): void {
  const { timers } = draft;
  const waiting = Object.entries(timers).filter(([key]) => isOwnEvent(key));
  if (waiting.length >= MOST_OWN)
    throw unsupported(
      `it sends to itself while ${MOST_OWN.toLocaleString("en")} events from itself are not taken yet`,
    );
  // In their order, also where the clock of another host is behind.
  const at = Math.max(now, ...waiting.map(([, timer]) => timer.at));
  draft.set += 1;
  timers[ownTimer(rev, draft.set)] = { at, event };
}

/** Its job is cancelled, or not even enqueued where it was invoked by this very event. */
function leave({ children, effects, timers }: Draft, actor: string): void {
  const left = children[actor];
  if (left === undefined) return;
  delete children[actor];
  if (hasFailedEnd({ timers }, actor)) delete timers[endedTimer(actor)];
  const asked = effects.findIndex((one) => one.do === "enqueue" && one.job === left.job);
  if (asked < 0) effects.push({ do: "cancel", job: left.job, queue: left.queue });
  else effects.splice(asked, 1);
}

function act(
  { inert }: MachineDefinition,
  draft: Draft,
  { type, params, info }: Executable,
  outer: MachineEvent,
): void {
  if (type.startsWith("xstate."))
    throw unsupported(`its chart uses ${type}, which needs a process`);
  if (!(type in inert.implementations.actions))
    throw unsupported(`the action ${type} is not named in setup({ actions })`);
  requirePlain(params, `the parameters of ${type}`);
  // One event may raise others in the same transition. The first has the machine's input with it.
  const taken = info.event as MachineEvent;
  const event = taken.type === INIT.type ? outer : taken;
  // By its fields: what an invoked job gave back may be as deep as a machine may hold.
  for (const [field, held] of Object.entries(event)) requirePlain(held, `the event's ${field}`);
  draft.effects.push({
    ...{ do: "act", action: type, event },
    ...(params === undefined ? {} : { params: params as unknown }),
  });
}

function unsupported(why: string): MillraceError {
  return new MillraceError("machine-unsupported", `This machine can't go on: ${why}.`);
}
