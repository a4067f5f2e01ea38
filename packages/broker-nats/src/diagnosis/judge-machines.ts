import { formatSeconds, type MachineBacklog } from "@millrace/core";
import { fail, type Finding, warn } from "./finding.ts";
import { NEWLY_WAITING_MS, OLD_MS } from "./judge-fleet.ts";
import { type NodeSeen, SILENT_MS } from "./node-seen.ts";

/** Whether there is anybody to take what comes to durable machines. Pure. */
export function judgeMachines(
  nodes: readonly NodeSeen[],
  backlogs: readonly MachineBacklog[],
): readonly Finding[] {
  const there = nodes.filter(({ silentMs }) => silentMs <= SILENT_MS);
  const hosted = new Set(there.flatMap(({ report }) => machinesOf(report)));
  return backlogs.flatMap(({ machine, waiting, oldestAgeMs }) => {
    const check = `machines ${machine}`;
    const what = `${waiting} ${waiting === 1 ? "event or timer waits" : "events and timers wait"}`;
    if (!hosted.has(machine) && oldestAgeMs > NEWLY_WAITING_MS)
      return [
        fail(
          check,
          `${what}, and no node says that it hosts the machines`,
          `Start a node with the machine ${machine} (millrace run FILE), or correct the name in whoever sends the events. What waits is kept.`,
        ),
      ];
    if (hosted.has(machine) && oldestAgeMs > OLD_MS)
      return [
        warn(
          check,
          `${what}, the oldest for ${formatSeconds(oldestAgeMs)}`,
          "Its nodes have said why in their logs: a machine of another version (machine-mismatch), or another machine whose inbox is full.",
        ),
      ];
    return [];
  });
}

function machinesOf(report: unknown): readonly string[] {
  const { machines } = (report ?? {}) as { readonly machines?: unknown };
  return Array.isArray(machines) ? machines.filter((one) => typeof one === "string") : [];
}
