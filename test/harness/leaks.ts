import { afterAll, beforeAll } from "vitest";
import { cleanUpFile } from "./cleanup.ts";
import { eventually } from "./deadline.ts";

/**
 * Handles that keep a process alive and that a test file must have closed. Timers are the workers'
 * own too: not counted.
 */
const WATCHED = new Set([
  "TCPSocketWrap",
  "TCPServerWrap",
  "UDPWrap",
  "ProcessWrap",
  "FSEventWrap",
  "PipeWrap",
  "MessagePort",
]);
/** An idle connection of `fetch` closes itself after four seconds. */
const SETTLE_MS = 6_000;

let before: ReadonlyMap<string, number>;

beforeAll(() => {
  before = countHandles();
});

// Registered before the file's own hooks, and so run after them.
afterAll(async () => {
  await cleanUpFile();
  await eventually(() => leaked().length === 0, {
    withinMs: SETTLE_MS,
    describe: () => `this file left handles open: ${leaked().join(", ")}`,
  });
});

function leaked(): string[] {
  return [...countHandles()].flatMap(([name, count]) => {
    const more = count - (before.get(name) ?? 0);
    return more > 0 ? [`${more} × ${name}`] : [];
  });
}

function countHandles(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) {
    if (WATCHED.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
