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
    .map((node) => judgeSilent(node, leases));
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

function judgeSilent(node: NodeSeen, leases: Leases): Finding {
  const held = heldBy(node);
  const inHand = held.map(({ queue, used }) => `${jobs(used)} of ${queue}`).join(", ");
  const longest = Math.max(...held.map(({ queue }) => leases.get(queue) ?? 0));
  const by = held.length === 0 ? undefined : backBy(node, longest > 0 ? longest : undefined);
  return warn(
    `node ${node.name}`,
    `has not been heard of for ${formatSeconds(node.silentMs)}${inHand === "" ? "" : `, with ${inHand} in hand`}`,
    `It died, was cut off, or its event loop is stalled. Its jobs come back ${by === undefined ? "when their leases have run out" : `by ${by}`}; look at its log.`,
  );
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
export function judgeBacklog(snapshot: QueueSnapshot): readonly Finding[] {
  const { queue, queued, running, dead, oldestAgeMs, maxJobs } = snapshot;
  const check = `backlog ${queue}`;
  const stored = queued + running;
  const findings: Finding[] = [];
  if (maxJobs !== undefined && stored >= maxJobs)
    findings.push(
      fail(
        check,
        `is full: ${stored} of ${maxJobs} jobs, and producers are refused`,
        `Add nodes, or raise the limit: millrace queues set ${queue} --max-jobs (none takes it away).`,
      ),
    );
  else if (maxJobs !== undefined && stored >= NEARLY_FULL * maxJobs)
    findings.push(
      warn(
        check,
        `is nearly full: ${stored} of ${maxJobs} jobs`,
        `Add nodes, or raise the limit: millrace queues set ${queue} --max-jobs.`,
      ),
    );
  if (queued > 0 && oldestAgeMs > OLD_MS)
    findings.push(
      warn(
        check,
        `${jobs(queued)} wait, the oldest for ${formatSeconds(oldestAgeMs)}`,
        "See millrace queues whether it is paused, and millrace nodes list who serves it; then add nodes or slots.",
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

function jobs(count: number): string {
  return `${count} ${count === 1 ? "job" : "jobs"}`;
}
