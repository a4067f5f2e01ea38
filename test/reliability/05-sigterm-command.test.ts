import { join, resolve } from "node:path";
import { connect } from "millrace";
import { expect, it, vi } from "vitest";
import { startChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { clusterMode, patient } from "../harness/cluster/mode.ts";
import { describeServer } from "../harness/servers.ts";
import deaf from "./fixtures/deaf.job.ts";

vi.setConfig({ testTimeout: patient(180_000) });

/** A busy machine has time in it for handing back and for the end of the process. */
const GRACE_MS = 10_000;
/**
 * For what a busy machine adds; the handler takes far longer. That the grace is kept exactly, is
 * shown in simulated time (runtime's stop.test.ts).
 */
const SLACK_MS = 5_000;
const COMMAND = resolve(import.meta.dirname, "../../packages/millrace/src/cli/bin.ts");

describeServer("5: SIGTERM to `millrace run`", "newest", (server) => {
  it("ends within the grace although a handler ignores its signal, and the job is back in its queue", async () => {
    const namespace = server.namespace();
    const child = startChild(COMMAND, {
      args: [
        "run",
        join(import.meta.dirname, "fixtures/deaf.job.ts"),
        "--server",
        server.url,
        "--namespace",
        namespace,
      ],
      env: { MILLRACE_GRACE: `${GRACE_MS}ms`, MILLRACE_HEALTH_PORT: "0" },
    });
    await child.line(/running/, 90_000);
    const client = await connect({ servers: server.url, namespace });
    cleanUpLater(() => client.close());
    await client.enqueue(deaf, null);
    await child.line(/deaf runs/, 90_000);
    const atMs = performance.now();
    child.signal("SIGTERM");
    await expect(child.exit(90_000)).resolves.toEqual({ code: 0, signal: null });
    const tookMs = Math.round(performance.now() - atMs);
    console.log(`ended ${tookMs} ms after SIGTERM, with a grace of ${GRACE_MS} ms`);
    expect(tookMs).toBeLessThanOrEqual(GRACE_MS + SLACK_MS);
    const { queued, running } = await client.queues.snapshot("deaf");
    // A leader that dies keeps it from being handed back, or takes the ack with it after that: then
    // it comes when its lease is over.
    if (clusterMode() === undefined) expect([queued, running]).toEqual([1, 0]);
    else expect(queued + running).toBeGreaterThan(0);
  });
});
