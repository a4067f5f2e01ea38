import { fileURLToPath } from "node:url";
import type { Millrace } from "millrace";
import { expect, test, vi } from "vitest";
import { startChild } from "../harness/child.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { scene } from "./controls-scene.ts";

vi.setConfig({ testTimeout: patient(180_000) });
const BIN = fileURLToPath(new URL("../../packages/millrace/src/cli/bin.ts", import.meta.url));

/** So many jobs, named w0, w1 and so on. */
async function enqueueAll(
  client: Millrace,
  job: Parameters<Millrace["enqueueMany"]>[0],
  count: number,
): Promise<void> {
  const items = Array.from({ length: count }, (_, n) => ({ input: n, id: `w${n}` }));
  for (const result of await client.enqueueMany(job, items)) expect(result.ok).toBe(true);
}

describeEachServer("a purge of 20,000", (server) => {
  test("cancels what waits with a record of each, and what runs goes on", async () => {
    const { client, job, ends, node, hasStarted } = await scene(server);
    await node({ slots: 3 });
    for (const id of ["r1", "r2", "r3"]) {
      await client.enqueue(job, "hold", { id });
      await hasStarted(id);
    }
    await enqueueAll(client, job, 20_000);
    // A new leader counts what was taken away under it among what runs, for a while.
    await server.calm();
    const from = performance.now();
    const purged = await client.queues.purge("work");
    const seconds = (performance.now() - from) / 1_000;
    console.log(`20,000 jobs purged in ${seconds.toFixed(2)} s`);
    expect(purged).toEqual({
      cancelled: 20_000,
      dead: 0,
      deferred: 0,
      queued: 0,
      blocked: 0,
      delayed: 0,
      running: 3,
    });
    for (const id of ["w0", "w9999", "w19999"])
      expect(await client.broker.history.read({ id, queue: "work" })).toMatchObject([
        { state: "cancelled", reason: "purged", attempts: 0 },
      ]);
    await expect(
      client.handle("w7", "work").result({ timeout: patient(20_000) }),
    ).rejects.toMatchObject({
      code: "cancelled",
    });
    for (const id of ["r1", "r2", "r3"]) {
      ends.get(id)?.();
      await client.handle(id, "work").result({ timeout: patient(20_000) });
    }
    await (await client.enqueue(job, null)).result({ timeout: patient(20_000) });
    expect(await client.queues.controls("work")).toEqual({});
  });

  test("that is killed leaves the queue paused", async () => {
    // A job whose acknowledgement died with a leader counts as running for a lease.
    await server.calm();
    const { namespace, client, job, cli } = await scene(server);
    await enqueueAll(client, job, 20_000);
    const purge = startChild(BIN, {
      args: ["queues", "purge", "work", "--yes"],
      env: { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace },
    });
    await eventually(async () => (await client.queues.snapshot("work")).queued < 19_000, {
      withinMs: 30_000,
      describe: "the purge is under way",
      everyMs: 5,
    });
    await purge.kill();
    expect((await client.queues.snapshot("work")).paused).toMatchObject({ reason: "purge" });
    expect((await cli("queues", "purge", "work", "--yes")).code).toBe(0);
    await cli("queues", "resume", "work");
    expect(await client.queues.controls("work")).toEqual({});
  });
});
