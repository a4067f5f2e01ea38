import type { AnyStateMachine, AnyStateNode } from "xstate";
import { MillraceError } from "../errors/millrace-error.ts";
import { isPromiseLogic } from "./promise-logic.ts";

/** What a chart says of an action, read off XState's own objects. */
interface ActionLike {
  readonly type?: string;
  readonly resolve?: unknown;
  readonly src?: unknown;
  readonly id?: unknown;
  readonly systemId?: unknown;
  readonly assignment?: unknown;
  readonly to?: unknown;
  readonly delay?: unknown;
}

/** What a chart is given beside itself. */
interface CheckedFor {
  readonly name: string;
  readonly jobs: Readonly<Record<string, unknown>>;
  readonly sendsTo: readonly string[];
}

/** What would be lost with the process, or has nobody to go to. */
const REFUSED: Readonly<Record<string, string>> = {
  "xstate.emit": "emits an event, and nobody listens to a machine that is at rest",
};

/**
 * Looks for what can't be kept from one event to the next: everything but states, context, timers
 * and jobs. What only shows itself in a transition (`enqueueActions`, `spawn` by another name) is
 * refused then.
 *
 * @throws MillraceError `machine-unsupported`
 */
export function checkChart({ name, jobs, sendsTo }: CheckedFor, chart: AnyStateMachine): void {
  const refuse = (where: string, why: string): never => {
    throw new MillraceError(
      "machine-unsupported",
      `The machine ${name} can't be durable: ${where} ${why}.`,
    );
  };
  const { actors, actions } = chart.implementations;
  for (const [src, logic] of Object.entries(actors))
    if (!(src in jobs) && !isPromiseLogic(logic as never))
      refuse(
        `the actor ${src}`,
        "is no promise. Callbacks, observables and machines end with their process; make it fromPromise(), or name a job for it in jobs",
      );
  const known = (src: unknown, where: string): void => {
    if (typeof src !== "string" || src.startsWith("xstate.invoke."))
      refuse(where, "has its actor inline. Name it in setup({ actors })");
    else if (!(src in actors) && !(src in jobs))
      refuse(where, `asks for the actor ${src}, and neither setup({ actors }) nor jobs has it`);
  };
  const sending = ({ to, delay }: ActionLike, where: string): void => {
    if (typeof to === "string" || sendsTo.length === 0)
      refuse(
        where,
        "sends to another actor (sendTo, sendParent or forwardTo), and a durable machine has none beside its jobs. Send to machineAddress() of a machine that sendsTo names",
      );
    if (delay !== undefined)
      refuse(where, "sends with a delay. raise() an event with one, and send then");
  };
  const builtIn = (action: ActionLike, where: string): void => {
    const { type = "", src, id, systemId, assignment } = action;
    const reason = REFUSED[type];
    if (reason !== undefined) refuse(where, reason);
    if (type === "xstate.sendTo") sending(action, where);
    if (type === "xstate.spawnChild") {
      known(src, where);
      if (id === undefined || systemId !== undefined)
        refuse(where, "spawns an actor without an id, or with a systemId. Give it an id");
    }
    if (type === "xstate.assign" && spawns(assignment))
      refuse(where, "spawns in assign(), of which no trace is left. Use spawnChild() or invoke");
  };
  const action = (one: unknown, where: string): void => {
    if (isBuiltIn(one)) return builtIn(one, where);
    if (typeof one === "function")
      refuse(where, "has an action inline, which no other node could find. Name it in setup()");
    const type = typeof one === "string" ? one : (one as ActionLike).type;
    if (type === undefined || !(type in actions))
      refuse(where, `names the action ${type}, which setup({ actions }) doesn't have`);
  };
  for (const [key, one] of Object.entries(actions))
    if (isBuiltIn(one)) builtIn(one, `the action ${key}`);
  if (spawns(chart.config.context))
    refuse("its context", "spawns an actor. Use spawnChild() or invoke");
  eachNode(chart.root, (node) => {
    const where = `the state ${node.id}`;
    for (const one of [...node.entry, ...node.exit]) action(one, where);
    for (const invoke of node.invoke) {
      known(invoke.src, where);
      if (invoke.systemId !== undefined) refuse(where, "gives an actor a systemId");
      if ((invoke as { readonly onSnapshot?: unknown }).onSnapshot !== undefined)
        refuse(where, "asks for an actor's snapshots (onSnapshot), and a job has none");
    }
    const transitions = [...node.transitions.values()].flat();
    for (const { actions: own } of [...transitions, ...(node.always ?? [])])
      for (const one of own) action(one, where);
    if (node.type === "compound") for (const one of node.initial.actions) action(one, where);
  });
}

function isBuiltIn(action: unknown): action is ActionLike {
  return typeof action === "function" && "resolve" in action;
}

/** Whether a function takes `spawn` out of what it is given, as far as its text shows. */
function spawns(given: unknown): boolean {
  const all = typeof given === "object" && given !== null ? Object.values(given) : [given];
  return all.some(
    (one) =>
      typeof one === "function" &&
      /^[^{=]*\(?\s*\{[^}]*\bspawn\b[^}]*\}/.test(Function.prototype.toString.call(one)),
  );
}

function eachNode(node: AnyStateNode, visit: (node: AnyStateNode) => void): void {
  visit(node);
  for (const child of Object.values(node.states)) eachNode(child as AnyStateNode, visit);
}
