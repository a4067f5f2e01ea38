// A node whose handlers look at their signals. Its one argument is a `ConnectConfig` with a lease,
// as JSON; with `holdsFor`, the node's own thread stands still from when that many handlers have
// begun until they have looked, and says so.
import { existsSync, readFileSync, writeSync } from "node:fs";
import { createNode, stopOnSignals } from "@millrace/runtime";
import { connectTo } from "./connect.ts";
import { here, inThread } from "./look.job.ts";
import type { ConnectConfig } from "./work.ts";

interface LookConfig extends ConnectConfig {
  readonly leaseMs: number;
  readonly holdsFor?: { readonly handlers: number; readonly file: string };
}

const STDOUT = 1;
/** A test that waits for what has not come fails before this. */
const HOLDS_AT_MOST_MS = 120_000;

const config = JSON.parse(process.argv[2] ?? "{}") as LookConfig;
const broker = await connectTo(config);
const node = createNode({ broker, jobs: [here, inThread], slots: 20, lease: config.leaseMs });
stopOnSignals(node);
await node.start();
if (config.holdsFor !== undefined) holdFor(config.holdsFor);
console.log("ready");
await node.stopped;
await broker.close();

/**
 * A node that knows of its lost lease ends its threads, and may be faster than all of them: so it
 * does not know before they have looked.
 */
function holdFor({ handlers, file }: NonNullable<LookConfig["holdsFor"]>): void {
  const have = (saw: string): boolean =>
    existsSync(file) && readFileSync(file, "utf8").split(`"saw":"${saw}"`).length > handlers;
  const watch = setInterval(() => {
    if (!have("began")) return;
    clearInterval(watch);
    // At once: this thread prints nothing while it stands still.
    writeSync(STDOUT, "held\n");
    const nobody = new Int32Array(new SharedArrayBuffer(4));
    const until = performance.now() + HOLDS_AT_MOST_MS;
    while (!have("looked") && performance.now() < until) Atomics.wait(nobody, 0, 0, 10);
  }, 10);
}
