import { graphlib, layout } from "@dagrejs/dagre";
import type { ChartStateView, ChartView } from "../../src/api/views/machine-views.ts";

/** A rectangle, by its middle. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export type PlacedState = Place & { readonly state: ChartStateView; readonly name: string };

/** A way between two places, or where a state begins (`labels` is empty then). */
export interface PlacedWay {
  readonly key: string;
  /** Of its transitions in the chart. */
  readonly transitions: readonly number[];
  readonly labels: readonly string[];
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** The middle of its labels. */
  readonly x: number;
  readonly y: number;
}

export interface ChartLayout {
  readonly width: number;
  readonly height: number;
  /** States that hold others, the outer ones first. */
  readonly groups: readonly (PlacedState & { readonly title: Place })[];
  readonly boxes: readonly PlacedState[];
  readonly ways: readonly PlacedWay[];
  /** Where a machine begins. */
  readonly start: Place;
  /** Stands for whatever state a machine is in, where a way leads out of it. */
  readonly anyState: Place | undefined;
}

/** Of the page's small type, on average and a little more. */
const CHARACTER = 7.2;
export const LINE = 17;
const START = { width: 14, height: 14 };
const ROOT = " start";
const ANY = " any state";

interface Way {
  readonly key: string;
  readonly from: string;
  readonly to: string;
  readonly transitions: number[];
  readonly labels: string[];
}

/** Beyond this the layout takes seconds, and nobody could read it. */
const MOST_STATES = 80;
const MOST_WAYS = 250;

/** Whether a chart is small enough to be drawn. */
export function isDrawable({ states, transitions }: ChartView): boolean {
  return states.length <= MOST_STATES && transitions.length <= MOST_WAYS;
}

/**
 * Finds a place for everything of a chart. A way to or from a state that holds others leads to its
 * title: the layout knows ways between boxes alone.
 */
export function chartLayout(chart: ChartView): ChartLayout {
  const graph = new graphlib.Graph({ compound: true, multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: 28, ranksep: 44, edgesep: 14, marginx: 8, marginy: 8 });
  const around = new Set(chart.states.map(({ parent }) => parent));
  const isGroup = ({ path }: Pick<ChartStateView, "path">): boolean => around.has(path);
  const end = (path: string): string => (isGroup({ path }) ? titleOf(path) : boxOf(path));
  for (const state of chart.states) {
    if (isGroup(state)) {
      graph.setNode(boxOf(state.path), {});
      graph.setNode(titleOf(state.path), sizeOf([nameOf(state)], 6));
      graph.setParent(titleOf(state.path), boxOf(state.path));
    } else graph.setNode(boxOf(state.path), sizeOf([nameOf(state), ...state.invokes], 20));
    if (state.parent !== undefined) graph.setParent(boxOf(state.path), boxOf(state.parent));
  }
  graph.setNode(boxOf(ROOT), START);
  const ways = waysOf(chart);
  const hasAny = ways.some(({ from }) => from === ANY);
  if (hasAny) graph.setNode(boxOf(ANY), sizeOf(["any state"], 6));
  for (const { key, from, to, labels } of ways)
    graph.setEdge(end(from), end(to), { ...sizeOf(labels, 2), labelpos: "c" }, key);
  layout(graph);
  const at = (node: string): Place => {
    const { x, y, width, height } = graph.node(node) as unknown as Place;
    return { x, y, width, height };
  };
  const placed = (state: ChartStateView): PlacedState => ({
    ...at(boxOf(state.path)),
    ...{ state, name: nameOf(state) },
  });
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return {
    ...{ width, height, start: at(boxOf(ROOT)), anyState: hasAny ? at(boxOf(ANY)) : undefined },
    groups: chart.states
      .filter(isGroup)
      .map((state) => ({ ...placed(state), title: at(titleOf(state.path)) })),
    boxes: chart.states.filter((state) => !isGroup(state)).map(placed),
    ways: ways.map(({ key, from, to, transitions, labels }) => {
      const {
        points,
        x = 0,
        y = 0,
      } = graph.edge(end(from), end(to), key) as unknown as Pick<PlacedWay, "points" | "x" | "y">;
      return { ...{ key, transitions, labels, points, x, y } };
    }),
  };
}

/** Several transitions between the same two states are one way with several labels. */
function waysOf({ transitions, beginnings, states }: ChartView): readonly Way[] {
  const ways = new Map<string, Way>();
  const add = (from: string, to: string): Way => {
    const key = `${from} ${to}`;
    const way = ways.get(key) ?? { ...{ key, from, to }, transitions: [], labels: [] };
    ways.set(key, way);
    return way;
  };
  for (const { of, at } of beginnings) for (const to of at) add(of === "" ? ROOT : of, to);
  // All regions of a parallel state begin at once; so does all of a chart without a beginning.
  for (const { path, kind } of states)
    if (kind === "parallel")
      for (const region of states) if (region.parent === path) add(path, region.path);
  if (!beginnings.some(({ of }) => of === ""))
    for (const { path, parent } of states) if (parent === undefined) add(ROOT, path);
  for (const [index, { from, to, label, guard }] of transitions.entries())
    for (const one of to) {
      const way = add(from === "" ? ANY : from, one);
      way.transitions.push(index);
      way.labels.push(guard === undefined ? label : `${label} [${guard}]`);
    }
  return [...ways.values()];
}

/** The layout's own names: a state may be called `constructor`. */
function boxOf(path: string): string {
  return `box ${path}`;
}

function titleOf(path: string): string {
  return `title ${path}`;
}

function nameOf({ path, kind }: ChartStateView): string {
  const name = path.slice(path.lastIndexOf(".") + 1);
  return kind === "history" ? `${name} (history)` : name;
}

/** Of lines of text, with room around them. */
function sizeOf(lines: readonly string[], around: number): { width: number; height: number } {
  const longest = Math.max(0, ...lines.map(({ length }) => length));
  return {
    width: Math.ceil(longest * CHARACTER) + (longest === 0 ? 0 : around),
    height: lines.length * LINE + (longest === 0 ? 0 : around),
  };
}
