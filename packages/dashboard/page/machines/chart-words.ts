import type { ChartView, MachineView } from "../../src/api/views/machine-views.ts";

type Passage = Pick<MachineView["trail"][number], "event" | "active">;

/** Whether a path is that state, or one in it. The chart itself is around all. */
export function isIn(path: string, state: string): boolean {
  return state === "" || path === state || path.startsWith(`${state}.`);
}

/** An event as the chart's own author would call it: `after 7d`, `charge failed`. */
export function eventWords(
  chart: Pick<ChartView, "transitions"> | undefined,
  type: string,
): string {
  if (type === "xstate.init") return "start";
  return chart?.transitions.find(({ event }) => event === type)?.label ?? type;
}

/**
 * Which of a chart's transitions a machine has taken last, as far as its trail shows.
 *
 * @param trail the newest first
 * @returns their places in the chart
 */
export function takenTransitions(
  { transitions }: Pick<ChartView, "transitions">,
  trail: readonly Passage[],
): ReadonlySet<number> {
  const taken = new Set<number>();
  for (const [index, { event, active }] of trail.entries()) {
    const before = trail[index + 1]?.active;
    if (before === undefined) break;
    for (const [place, { from, to, event: on }] of transitions.entries())
      if (
        on === event &&
        before.some((path) => isIn(path, from)) &&
        to.every((target) => active.some((path) => isIn(path, target)))
      )
        taken.add(place);
  }
  return taken;
}
