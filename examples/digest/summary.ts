import type { JobStatus } from "millrace";
import type { Digest } from "./jobs.ts";

export interface Summary {
  readonly jobs: number;
  readonly attempts: number;
  readonly bytes: number;
  readonly lines: number;
  /** From the first enqueue to the last result, every wait included. */
  readonly seconds: number;
  readonly byNode: ReadonlyMap<string, number>;
  readonly dead: readonly JobStatus[];
}

/** What the histories of all jobs add up to. */
export function summarize(statuses: readonly JobStatus[], seconds: number): Summary {
  const byNode = new Map<string, number>();
  let attempts = 0;
  let bytes = 0;
  let lines = 0;
  for (const status of statuses) {
    attempts += status.attempts;
    for (const { node } of status.history) byNode.set(node, (byNode.get(node) ?? 0) + 1);
    if (status.state !== "succeeded") continue;
    const result = status.result as Digest;
    bytes += result.bytes;
    lines += result.lines;
  }
  return {
    jobs: statuses.length,
    attempts,
    bytes,
    lines,
    seconds,
    byNode,
    dead: statuses.filter(({ state }) => state === "dead"),
  };
}

const LEASE_NOTE = "waits for retries and for the killed node's lease included (speed: bench/)";

export function renderSummary(summary: Summary, crash: string): string {
  const rows: [string, string][] = [
    ["jobs", String(summary.jobs)],
    ["attempts", String(summary.attempts)],
    ["bytes", summary.bytes.toLocaleString("en-US")],
    ["lines", summary.lines.toLocaleString("en-US")],
    ["seconds", `${summary.seconds.toFixed(1)}, from the first enqueue to the last result`],
    ["jobs per second", `${(summary.jobs / summary.seconds).toFixed(0)}, ${LEASE_NOTE}`],
    ["settled by", [...summary.byNode].map(([node, count]) => `${node} ${count}`).join(", ")],
    ["crash survived", crash],
    ["dead letters", String(summary.dead.length)],
  ];
  const table = rows.map(([label, value]) => `  ${label.padEnd(18)}${value}`);
  const dead = summary.dead.map(
    ({ id, attempts, history, error }) =>
      `    ${id}  ${history.at(-1)?.reason ?? ""} after ${attempts} attempts: ${error?.message ?? ""}`,
  );
  return [...table, ...dead].join("\n");
}
