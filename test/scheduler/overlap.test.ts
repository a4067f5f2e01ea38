import { defineJob, defineSchedule, type OverlapPolicy } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { connect, type Millrace } from "millrace";
import { expect, it } from "vitest";
import { connectTo } from "../reliability/programs/connect.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

/** A per-second schedule whose first job runs until it is let go or aborted. */
async function busy(server: TestServer, overlap: OverlapPolicy) {
  const namespace = server.namespace();
  const broker = await connectTo({ servers: server.url, namespace });
  const client = await connect({ servers: server.url, namespace, env: {} });
  const ended: string[] = [];
  const started: string[] = [];
  let letGo: () => void = () => {};
  const job = defineJob({ name: "tick", queue: "ticks" });
  const node = createNode({
    broker,
    jobs: [
      job.handler(async (context) => {
        started.push(context.job.id);
        if (started.length > 1) return;
        await new Promise<void>((resolve, reject) => {
          letGo = resolve;
          context.signal.addEventListener("abort", () => reject(context.signal.reason as Error));
        }).finally(() => ended.push(context.signal.aborted ? "aborted" : "let go"));
      }),
    ],
    schedules: [
      defineSchedule({ name: "it", cron: "* * * * * *", overlap, missed: { all: 100 }, job }),
    ],
  });
  cleanUpLater(async () => {
    letGo();
    await node.stop({ immediate: true });
    await broker.close();
    await client.close();
  });
  await node.start();
  // Another part of the node may be ready later than its scheduler: where jobs are cancelled the
  // next may run by then.
  await eventually(() => started.length >= 1, {
    withinMs: 20_000,
    describe: "the first job runs",
  });
  return { client, started, ended, letGo: () => letGo() };
}

const stateOf = async (client: Millrace) => (await client.cron.list())[0]?.state;

describeEachServer("overlap", (server) => {
  it("skip leaves ticks out while the job runs", async () => {
    const { client, started, letGo } = await busy(server, "skip");
    await eventually(async () => ((await stateOf(client))?.skipped ?? 0) >= 2, {
      withinMs: 20_000,
      describe: "two ticks are left out",
    });
    expect(started).toHaveLength(1);
    letGo();
    await eventually(() => started.length >= 2, {
      withinMs: 20_000,
      describe: "the next one runs",
    });
    expect(started[1]).not.toBe(started[0]);
  });

  it("queue keeps one tick until the job has ended", async () => {
    const { client, started, letGo } = await busy(server, "queue");
    const queued = await eventually(
      async () => {
        const state = await stateOf(client);
        return (state?.skipped ?? 0) >= 1 ? state?.queued : undefined;
      },
      { withinMs: 20_000, describe: "a tick is queued and another left out" },
    );
    expect(started).toHaveLength(1);
    letGo();
    await eventually(() => started.length >= 2, {
      withinMs: 20_000,
      describe: "the queued one runs",
    });
    expect(started[1]).toBe(`cron:it:${new Date(queued).toISOString().replace(/[-:]|\.\d+/g, "")}`);
  });

  it("cancel aborts the job", async () => {
    const { client, started, ended } = await busy(server, "cancel");
    await eventually(() => ended.length === 1, { withinMs: 20_000, describe: "the job has ended" });
    expect(ended).toEqual(["aborted"]);
    await eventually(() => started.length >= 2, {
      withinMs: 20_000,
      describe: "the next one runs",
    });
    const [id = ""] = started;
    const { state, history } = await eventually(
      async () => {
        const status = await client.job(id);
        return status.history.length === 0 ? undefined : status;
      },
      { withinMs: 20_000, describe: "it is settled" },
    );
    expect(state).toBe("cancelled");
    expect(history.at(-1)?.reason).toContain("is due again");
  });
});

describeEachServer("schedules of the code", (server) => {
  it("are written once, by however many nodes that start at once", async () => {
    const namespace = server.namespace();
    const job = defineJob({ name: "tick", queue: "ticks" });
    const schedules = ["a", "b", "c"].map((name) =>
      defineSchedule({ name, cron: "0 0 1 1 *", job, input: { name } }),
    );
    await Promise.all(
      Array.from({ length: 6 }, async (_, index) => {
        const broker = await connectTo({ servers: server.url, namespace });
        const node = createNode({
          broker,
          name: `n${index}`,
          jobs: [job.handler(() => {})],
          schedules,
        });
        cleanUpLater(async () => {
          await node.stop({ immediate: true });
          await broker.close();
        });
        await node.start();
      }),
    );
    const client = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());
    const documents = await client.broker.documents("schedules");
    const stored = (await documents.list()).map(({ revision }) => revision).toSorted();
    // A bucket counts its writes, from a number of its own.
    expect(stored).toHaveLength(3);
    expect((stored.at(-1) ?? 0) - (stored[0] ?? 0)).toBe(2);
    const next = await documents.put("another", {}, 0);
    expect(next).toBe((stored.at(-1) ?? 0) + 1);
  });
});
