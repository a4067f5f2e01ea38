import { CLOCK_OFF_MS, formatSeconds, type QueueSnapshot } from "@millrace/core";
import { fail, type Finding, ok, warn } from "./finding.ts";
import { heldBy, type NodeSeen, servedBy, SILENT_MS } from "./node-seen.ts";
import { backBy, judgeHeld, type Leases } from "./judge-held.ts";

/** As the alert on it: docs/metrics.md. */
export const OLD_MS = 600_000;
/** Until a node has started that was only just needed. */
export const NEWLY_WAITING_MS = 60_000;
const NEARLY_FULL = 0.8;

/** Whether there is anybody to do what waits. Pure. */
export function judgeNodes(
  nodes: readonly NodeSeen[],
  backlogs: readonly QueueSnapshot[],
  leases: Leases = new Map(),
): readonly Finding[] {
  const findings: Finding[] = nodes
    .filter(({ silentMs }) => silentMs > SILENT_MS)
    .map((node) => judgeSilent(node, { nodes, backlogs, leases }));
  findings.push(...judgeHeld(nodes, backlogs, leases));
  const there = nodes.filter(({ silentMs }) => silentMs <= SILENT_MS);
  findings.push(...there.flatMap(judgeClock));
  const waiting = backlogs.filter(({ queued: count }) => count > 0);
  if (there.length === 0) {
    if (backlogs.length > 0) findings.push(nobody(waiting));
    return findings;
  }
  const served = new Set(there.flatMap(servedBy));
  for (const { queue, queued: count, oldestAgeMs } of waiting)
    if (!served.has(queue) && oldestAgeMs > NEWLY_WAITING_MS)
      findings.push(
        fail(
          `backlog ${queue}`,
          `${jobs(count)} wait, and no node says that it serves the queue`,
          `Start a node with the jobs of ${queue}, or correct the queue's name in the producer.`,
        ),
      );
  return findings.length > 0
    ? findings
    : [
        ok(
          "nodes",
          `${there.length} ${there.length === 1 ? "says that it is" : "say that they are"} there`,
        ),
      ];
}

interface FleetSeen {
  readonly nodes: readonly NodeSeen[];
  /** Empty where what lies in the queues can't be counted. */
  readonly backlogs: readonly QueueSnapshot[];
  readonly leases: Leases;
}

/** What it said last that it had in hand may have ended elsewhere since. */
function judgeSilent(node: NodeSeen, fleet: FleetSeen): Finding {
  const { leases } = fleet;
  const held = heldBy(node).flatMap(({ queue, used }) => {
    const left = Math.min(used, mostLeft(node, queue, fleet));
    return left === 0 ? [] : [{ queue, used: left }];
  });
  const inHand = held.map(({ queue, used }) => `${jobs(used)} of ${queue}`).join(", ");
  const longest = Math.max(...held.map(({ queue }) => leases.get(queue) ?? 0));
  const by = held.length === 0 ? undefined : backBy(node, longest > 0 ? longest : undefined);
  const mayHold = servedBy(node).some((queue) => mostLeft(node, queue, fleet) > 0);
  const back = mayHold
    ? `Its jobs come back ${by === undefined ? "when their leases have run out" : `by ${by}`}`
    : "None of its jobs is left with it";
  return warn(
    `node ${node.name}`,
    `has not been heard of for ${formatSeconds(node.silentMs)}${inHand === "" ? "" : `, with ${inHand} in hand`}`,
    `It died, was cut off, the server refuses its credentials (its log says so), or its event loop is stalled. ${back}; look at its log.`,
  );
}

/** So many jobs of a queue a silent node can still have, as far as that is known. */
function mostLeft(node: NodeSeen, queue: string, { nodes, backlogs, leases }: FleetSeen): number {
  const backlog = backlogs.find((one) => one.queue === queue);
  if (backlog === undefined) return Infinity;
  const isServed = nodes.some((one) => one.silentMs <= SILENT_MS && servedBy(one).includes(queue));
  const leaseMs = leases.get(queue) ?? 0;
  // By then they were handed to a node that serves the queue.
  if (isServed && leaseMs > 0 && backBy(node, leaseMs) === undefined) return 0;
  return backlog.running;
}

/** The report's own time is by the node's clock; what it took on its way makes that look behind. */
function judgeClock({ name, report, seenAt }: NodeSeen): readonly Finding[] {
  const sentAt = (report as { readonly sentAt?: unknown } | null | undefined)?.sentAt;
  if (typeof sentAt !== "number") return [];
  const aheadMs = sentAt - seenAt;
  if (Math.abs(aheadMs) <= CLOCK_OFF_MS) return [];
  return [
    warn(
      `node ${name}`,
      `its clock is ${formatSeconds(Math.abs(aheadMs))} ${aheadMs > 0 ? "ahead of" : "behind"} the server's`,
      "Synchronise that machine's clock (NTP): delays, expiries and records follow it.",
    ),
  ];
}

function nobody(waiting: readonly QueueSnapshot[]): Finding {
  const sum = waiting.reduce((total, { queued: count }) => total + count, 0);
  const longest = Math.max(0, ...waiting.map(({ oldestAgeMs }) => oldestAgeMs));
  const advice =
    "Start nodes. Where they run, they may not write to the bucket nodes: give them the role of docs/permissions.md.";
  return longest > NEWLY_WAITING_MS
    ? fail("nodes", `no node says that it is there, and ${jobs(sum)} wait`, advice)
    : warn("nodes", "no node says that it is there", advice);
}

/** What lies in a queue, and whether more finds room. Pure. */
export function judgeBacklog(snapshot: QueueSnapshot, isPaused = false): readonly Finding[] {
  const { queue, queued, running, dead, oldestAgeMs, maxJobs } = snapshot;
  const check = `backlog ${queue}`;
  const stored = queued + running;
  const findings: Finding[] = [];
  const whilePaused = isPaused ? " while it is paused" : "";
  const relief = isPaused ? resumption(queue) : "Add nodes";
  const raise = `${isPaused ? " Or" : ", or"} raise the limit: millrace queues set ${queue} --max-jobs`;
  if (maxJobs !== undefined && stored >= maxJobs)
    findings.push(
      fail(
        check,
        `is full${whilePaused}: ${stored} of ${maxJobs} jobs, and producers are refused`,
        `${relief}${raise} (none takes it away).`,
      ),
    );
  else if (maxJobs !== undefined && stored >= NEARLY_FULL * maxJobs)
    findings.push(
      warn(
        check,
        `is nearly full${whilePaused}: ${stored} of ${maxJobs} jobs`,
        `${relief}${raise}.`,
      ),
    );
  if (queued > 0 && oldestAgeMs > OLD_MS)
    findings.push(
      warn(
        check,
        `${isPaused ? "is paused: " : ""}${jobs(queued)} wait, the oldest for ${formatSeconds(oldestAgeMs)}`,
        isPaused
          ? resumption(queue)
          : "See millrace nodes list who serves it; then add nodes or slots.",
      ),
    );
  if (dead > 0)
    findings.push(
      warn(
        `dead letters ${queue}`,
        `${dead} ${dead === 1 ? "lies" : "lie"} there`,
        `See why with millrace dead list --queue ${queue}; then millrace dead retry or dead discard.`,
      ),
    );
  return findings;
}

function resumption(queue: string): string {
  return `Resume it, once you know why it is paused (millrace queues): millrace queues resume ${queue}.`;
}

function jobs(count: number): string {
  return `${count} ${count === 1 ? "job" : "jobs"}`;
}
