import { fileURLToPath } from "node:url";
import { connect, defineJob, type ProgressReport } from "millrace";
import { expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { startChild } from "../harness/child.ts";
import { eventually, within } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { connectTo } from "../reliability/programs/connect.ts";
import { QUEUE, task } from "./programs/jobs.ts";
import { reporting } from "./programs/thread-job.ts";

const PROGRAM = fileURLToPath(new URL("./programs/node-program.ts", import.meta.url));
const PATIENCE_MS = 60_000;
/** A process has to be started and its files compiled, on a machine that may be busy. */
const START_MS = 90_000;

describeEachServer("progress and results over processes", (server) => {
  async function scene() {
    const namespace = server.namespace();
    const client = await connect({ broker: await connectTo({ servers: server.url, namespace }) });
    cleanUpLater(() => client.close());
    await client.queues.ensure(QUEUE);
    const startNode = async () => {
      // What a test tells a handler, it tells the attempt that is under way: another one after a
      // lost lease would wait for it in vain. In a cluster the lease outlasts the start of all
      // three.
      const leaseMs = patient(1_000);
      const args = [JSON.stringify({ servers: server.url, namespace, name: "child", leaseMs })];
      const child = startChild(PROGRAM, { args });
      await child.line(/^ready$/, START_MS);
      return child;
    };
    return { namespace, client, startNode };
  }

  /** Reads in the background, and lets a test wait for what was read. */
  function reading(reports: AsyncIterable<ProgressReport>) {
    const seen: ProgressReport[] = [];
    const ended = (async () => {
      for await (const report of reports) seen.push(report);
    })();
    ended.catch(() => {});
    return {
      seen,
      ended: () => within(ended, PATIENCE_MS, "the reading ends with the job"),
      until: (value: number) =>
        eventually(() => seen.some((report) => report.value === value), {
          withinMs: PATIENCE_MS,
          describe: () => `a report of ${value}; seen: ${JSON.stringify(seen)}`,
        }),
    };
  }

  test("reports reach another process in order, over a killed server, to the last one; so does the result", async () => {
    const { client, startNode } = await scene();
    const child = await startNode();
    const handle = await client.enqueue(task, { do: "report" }, { id: "r" });
    const result = handle.result();
    result.catch(() => {});
    const reader = reading(handle.progress());
    const step = (value: number, done = false): void => child.send({ report: "r", value, done });
    step(1);
    await reader.until(1);
    // A report is heard before it is stored.
    await eventually(async () => (await handle.status()).progress?.note === "step 1", {
      withinMs: 20_000,
      describe: "the first report shows in the job's status",
    });
    await server.kill();
    step(2);
    await server.restart();
    await reader.until(2);
    // Begun later: it starts with the latest.
    const second = reading(client.handle("r", QUEUE).progress());
    await second.until(2);
    step(3);
    step(4, true);
    await Promise.all([reader.ended(), second.ended()]);
    expect(await within(result, PATIENCE_MS, "the result after the restart")).toBe("reported");
    for (const { seen } of [reader, second]) {
      const values = seen.map(({ value }) => value);
      expect(values).toEqual(values.toSorted());
      expect(values.at(-1)).toBe(4);
    }
    await eventually(async () => (await client.broker.progress.latest(handle)) === undefined, {
      withinMs: PATIENCE_MS,
      describe: "the progress of the job that has ended is forgotten",
    });
    expect((await handle.status()).progress).toBeUndefined();
  });

  test("a handler in a thread reports too, and is told what is no progress", async () => {
    const { client, namespace } = await scene();
    const handle = await client.enqueue(reporting, null, { id: "t" });
    const reader = reading(handle.progress());
    // A report that its reader does not hear, because its connection is away, is gone with the job.
    await server.calm();
    await startNodeOnServer(server, { namespace, jobs: [reporting] });
    expect(await handle.result({ timeout: patient(20_000) })).toBe("invalid-progress");
    await reader.ended();
    expect(reader.seen).toMatchObject([{ value: 0.5, note: "half-way", attempt: 1 }]);
  });

  test("a delayed job gets another time, and one that is not delayed an error that says where it is", async () => {
    const { client, startNode } = await scene();
    await startNode();
    const handle = await client.enqueue(task, { do: "quick" }, { delay: "1h" });
    await eventually(async () => (await handle.status()).state === "delayed", {
      withinMs: PATIENCE_MS,
      describe: "the job is delayed",
    });
    const later = await handle.reschedule({ delay: "2h" });
    expect(later.notBefore).toBeGreaterThan(Date.now() + 7_000_000);
    expect(await client.broker.delayed.list({ queue: QUEUE })).toMatchObject([
      { id: handle.id, notBefore: later.notBefore },
    ]);
    expect(await handle.reschedule({ delay: 0 })).toEqual({ id: handle.id, queue: QUEUE });
    expect(await handle.result({ timeout: patient(20_000) })).toBe("done");
    await expect(handle.reschedule({ delay: "1h" })).rejects.toMatchObject({
      code: "not-delayed",
      message: expect.stringContaining("is succeeded") as string,
    });
    await expect(handle.reschedule({})).rejects.toMatchObject({ code: "invalid-option" });
    await expect(client.handle("nobody", QUEUE).reschedule({ delay: "1h" })).rejects.toMatchObject({
      code: "job-not-found",
    });
  });

  test("right after a dead job was retried, result() waits for its new life", async () => {
    const { client, namespace } = await scene();
    let fail = true;
    const mends = defineJob({ name: "mends", queue: QUEUE, retry: "none" });
    const job = mends.handler(() => {
      if (fail) throw new Error("broken");
      return "mended";
    });
    await startNodeOnServer(server, { namespace, jobs: [job] });
    const handle = await client.enqueue(mends, null);
    await expect(handle.result({ timeout: patient(20_000) })).rejects.toMatchObject({
      code: "handler-failed",
    });
    fail = false;
    expect(await client.dead.retry({ id: handle.id })).toMatchObject([{ ok: true }]);
    const results = [handle, client.handle(handle.id, QUEUE)].map((one) =>
      one.result({ timeout: patient(20_000) }),
    );
    expect(await Promise.all(results)).toEqual(["mended", "mended"]);
  });
});
