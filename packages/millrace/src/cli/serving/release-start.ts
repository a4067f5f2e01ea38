import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { MillraceNode } from "@millrace/runtime";

/** Long enough for what waits in a queue to be taken, and to be seen running. */
const SETTLED_MS = 5_000;

/**
 * Gives back what the start has left behind. Loading fills the young generation, V8 makes it
 * larger, and a node that has nothing to do allocates too little for V8 ever to look at it again:
 * 10 MB. A node at work is left alone: it uses that room, and a collection would hold up its jobs.
 */
export function releaseStart(node: Pick<MillraceNode, "running" | "state">): void {
  setTimeout(() => {
    if (node.running.length === 0 && node.state === "running") collectAll();
  }, SETTLED_MS).unref();
}

function collectAll(): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: object) => void;
  setFlagsFromString("--no-expose-gc");
  collect({ type: "major", flavor: "last-resort" });
}
