import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Broker } from "@millrace/core";
import type { MillraceNode } from "@millrace/runtime";

/** This process is a node of the bench that forked it: it says when it is ready. */
export async function serveBench(broker: Broker, node: MillraceNode): Promise<void> {
  await node.start();
  process.once("SIGTERM", () => {
    void node
      .stop()
      .then(() => broker.close())
      .then(() => process.disconnect());
  });
  // Its bench has been killed.
  process.once("disconnect", () => process.exit());
  process.send?.("ready");
}

/** Resolves once it has stopped. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}
