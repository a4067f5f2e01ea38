import { jetstream } from "@nats-io/jetstream";
import { UNIQUE_BUCKET, UniqueKey } from "@millrace/core";
import { connect, createNode, defineJob } from "millrace";
import { expect, test, vi } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { indexJob, QUEUE } from "./index-job.ts";

vi.setConfig({ testTimeout: patient(60_000) });

const WITHIN_MS = 20_000;

async function scene(server: TestServer) {
  const namespace = server.namespace();
  const connection = { servers: server.url, namespace, env: {} };
  const millrace = await connect(connection);
  cleanUpLater(() => millrace.close());
  await millrace.queues.ensure(QUEUE);
  const { nc } = await administrator(server);
  const ran: string[] = [];
  return {
    millrace,
    ran,
    rubbish: async (bucket: string, key: string): Promise<void> => {
      // The bucket is there from its first use on.
      await (await millrace.broker.documents(bucket)).list();
      await jetstream(nc).publish(`$KV.${namespace}-${bucket}.${key}`, "{ no JSON");
    },
    start: async (job: ReturnType<typeof indexJob>): Promise<void> => {
      const jobs = [job.handler(({ job: { id } }) => void ran.push(id))];
      const node = await createNode({ ...connection, jobs });
      cleanUpLater(() => node.stop());
      await node.start();
    },
    runs: (id: string): Promise<unknown> =>
      eventually(() => ran.includes(id), { withinMs: WITHIN_MS, describe: `${id} has run` }),
  };
}

describeEachServer("what is stored of a key as no JSON", (server) => {
  test("is no claim: whoever enqueues takes the key, and so does the next when it has ended", async () => {
    const { millrace, rubbish, start, ran, runs } = await scene(server);
    const job = indexJob();
    const { document } = new UniqueKey(QUEUE, "a");
    await rubbish(UNIQUE_BUCKET, document);
    const enqueue = (id: string) =>
      within(millrace.enqueue(job, { doc: "a", version: 1 }, { id }), WITHIN_MS, `${id} is there`);
    expect(await enqueue("one")).toMatchObject({ id: "one" });
    expect(await enqueue("two")).toMatchObject({ id: "one", conflict: { kind: "kept" } });
    // A node meets a job whose claim somebody has overwritten.
    await rubbish(UNIQUE_BUCKET, document);
    await start(job);
    await runs("one");
    await eventually(
      async () => (await millrace.jobs.get("one", { queue: QUEUE })).state === "succeeded",
      {
        withinMs: WITHIN_MS,
        describe: "one has ended",
      },
    );
    expect(await enqueue("three")).toMatchObject({ id: "three" });
    await runs("three");
    expect(ran).toEqual(["one", "three"]);
  });

  test("is no rate: its jobs start", async () => {
    const { millrace, rubbish, start, runs } = await scene(server);
    const job = defineJob<{ readonly doc: string; readonly version: number }>({
      name: "index",
      queue: QUEUE,
      rateLimit: { key: ({ doc }) => doc, limit: 1, per: "1s" },
    });
    const rates = await millrace.broker.documents("rates");
    await start(job);
    await millrace.enqueue(job, { doc: "a", version: 1 }, { id: "one" });
    await runs("one");
    const [known] = await rates.list();
    if (known === undefined) throw new Error("the key has a rate");
    await rubbish("rates", known.key);
    await millrace.enqueue(job, { doc: "a", version: 2 }, { id: "two" });
    await runs("two");
  });
});
