import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from "xstate";
import { exactMs } from "../time/duration.ts";

/** A state of a chart, to be drawn. */
export interface ChartState {
  /** The keys from the chart down to it, with dots between: `asking.open`. */
  readonly path: string;
  /** Of the state that it is in; left out at the top. */
  readonly parent?: string;
  readonly kind: "atomic" | "compound" | "parallel" | "final" | "history";
  /** Names of the actors that it invokes, which are jobs. */
  readonly invokes: readonly string[];
}

/** A way from a state to others. */
export interface ChartTransition {
  /** The path of its state; empty: the chart itself, in whatever state. */
  readonly from: string;
  /** More than one only where it enters several regions of a parallel state. */
  readonly to: readonly string[];
  /** The event's type, as XState has it: `APPROVE`, `xstate.after.week.order.waiting`. */
  readonly event: string;
  /** In words: `APPROVE`, `after week`, `charge failed`, `always`. */
  readonly label: string;
  /** What has to hold for it, by the name that the chart has for it. */
  readonly guard?: string;
}

/** The picture of a machine's chart as plain JSON: what a page needs to draw it. */
export interface MachineChart {
  readonly machine: string;
  readonly version: number;
  /** A state comes before those that are in it. */
  readonly states: readonly ChartState[];
  /** Those that stay in their state are left out: nothing moves. */
  readonly transitions: readonly ChartTransition[];
  /** Where a machine begins, and where each state that holds others does. */
  readonly beginnings: readonly { readonly of: string; readonly at: readonly string[] }[];
}

/** What its nodes have stored of one machine's charts. */
export interface MachineCharts {
  readonly v: 1;
  /** The newest versions, the oldest first. */
  readonly charts: readonly MachineChart[];
}

/** Versions whose charts are kept: of states that may still be there. */
export const MOST_CHARTS = 5;

/** In the bucket of machines. A machine's own key has a dot in it, and this has none. */
export function chartsKey(machine: string): string {
  return machine;
}

/** @returns undefined for what is none */
export function readCharts(value: unknown): MachineCharts | undefined {
  const { v, charts } = (value ?? {}) as Partial<Record<keyof MachineCharts, unknown>>;
  return v === 1 && Array.isArray(charts) ? (value as MachineCharts) : undefined;
}

/** Reads a chart off XState's own objects. */
export function chartOf(machine: string, version: number, chart: AnyStateMachine): MachineChart {
  const nodes = nodesOf(chart.root);
  const states = nodes
    .filter((node) => node.path.length > 0)
    .map((node): ChartState => {
      const parent = pathOf(node.parent);
      return {
        path: pathOf(node),
        ...(parent === "" ? {} : { parent }),
        kind: node.type,
        invokes: node.invoke.map(({ src }) => srcOf(src)),
      };
    });
  return {
    ...{ machine, version, states },
    transitions: nodes.flatMap(transitionsOf),
    beginnings: nodes
      .filter(({ type }) => type === "compound")
      .map((node) => ({ of: pathOf(node), at: (node.initial.target ?? []).map(pathOf) })),
  };
}

/**
 * The innermost of the states that a machine is in, as paths: one, or one of each parallel region.
 *
 * @param value as XState has it
 * @example
 * activeStates({ both: { x: "x1", y: {} } }); // ["both.x.x1", "both.y"]
 */
export function activeStates(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([state, below]) => {
    const inner = activeStates(below);
    return inner.length === 0 ? [state] : inner.map((one) => `${state}.${one}`);
  });
}

function nodesOf(node: AnyStateNode): readonly AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap((below) => nodesOf(below as AnyStateNode))];
}

function transitionsOf(node: AnyStateNode): readonly ChartTransition[] {
  const named = [...node.transitions].flatMap(([event, all]) =>
    all.map((one) => ({ event, one, label: labelOf(node, event) })),
  );
  const always = (node.always ?? []).map((one) => ({ event: "", one, label: "always" }));
  return [...named, ...always].flatMap(({ event, one, label }) => {
    const to = (one.target ?? []).flatMap(entered).map(pathOf);
    const guard = guardOf(one);
    if (to.length === 0) return [];
    return [{ from: pathOf(node), to, event, label, ...(guard === undefined ? {} : { guard }) }];
  });
}

/** Whoever enters the chart itself begins anew. */
function entered(target: AnyStateNode): readonly AnyStateNode[] {
  if (target.path.length > 0) return [target];
  if (target.type === "compound") return target.initial.target ?? [];
  return Object.values(target.states) as readonly AnyStateNode[];
}

/** XState's own events are named by what they tell. */
function labelOf(node: AnyStateNode, event: string): string {
  const after = node.after.find(({ eventType }) => eventType === event);
  if (after !== undefined) return `after ${delayWords(after.delay)}`;
  const invoked = node.invoke.find(
    ({ id }) => event === `xstate.done.actor.${id}` || event === `xstate.error.actor.${id}`,
  );
  if (invoked !== undefined)
    return `${srcOf(invoked.src)} ${event.startsWith("xstate.done") ? "done" : "failed"}`;
  if (event.startsWith("xstate.done.state.")) return "done";
  return event === "*" ? "anything else" : event;
}

/** A name is the chart's own. */
function delayWords(delay: unknown): string {
  if (typeof delay === "number") return exactMs(delay);
  return typeof delay === "string" ? delay : "a while";
}

function guardOf({ guard }: AnyTransitionDefinition): string | undefined {
  if (guard === undefined) return undefined;
  if (typeof guard === "string") return guard;
  const type = (guard as { readonly type?: unknown }).type;
  return typeof type === "string" ? type : "a condition";
}

function srcOf(src: unknown): string {
  return typeof src === "string" ? src : "an actor";
}

function pathOf(node: AnyStateNode | undefined): string {
  return node?.path.join(".") ?? "";
}
