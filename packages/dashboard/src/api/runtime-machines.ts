import { orWhereDenied } from "@millrace/core";
import type { Reading } from "./reading.ts";
import type { RuntimeMachinesView } from "./views/machine-views.ts";

/** The lock under which one node leads the schedules of a namespace. */
const LEADER_LOCK = "leader/scheduler";

/** The runtime's own machines, with how many are in a state where somebody knows. */
export async function runtimeMachines({
  fleet,
}: Pick<Reading, "fleet">): Promise<RuntimeMachinesView> {
  const [queues, nodes, locks, waiting] = await Promise.all([
    fleet.queues.list(),
    fleet.nodes.list(),
    fleet.locks.list(),
    // Who may not ask who waits still sees who holds.
    orWhereDenied(undefined, () => fleet.locks.waiting()),
  ]);
  const sum = (of: "queued" | "running"): number =>
    queues.reduce((total, queue) => total + queue[of], 0);
  const leader = locks.find(({ name }) => name === LEADER_LOCK)?.holder;
  const byState: Readonly<Record<string, Readonly<Record<string, number>>>> = {
    execution: { queued: sum("queued"), running: sum("running") },
    node: counted(nodes.map(({ state }) => state)),
    scheduler: leader === undefined ? {} : { leading: 1 },
    lock: { "holding.held": locks.length, ...(waiting && { waiting: waiting.length }) },
  };
  return {
    ...(leader === undefined ? {} : { leader }),
    lost: nodes.filter(({ state }) => state === "lost").length,
    machines: fleet.machines
      .runtimeCharts()
      .map((chart) => ({ name: chart.machine, chart, byState: byState[chart.machine] ?? {} })),
  };
}

function counted(states: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const state of states) if (state !== "lost") counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}
