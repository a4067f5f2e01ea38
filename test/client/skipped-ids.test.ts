import { connect as connectNats } from "@nats-io/transport-node";
import { connect, defineJob, type Millrace } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { patientManager } from "../harness/administrator.ts";
import { eventually, within } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const QUEUE = "orders";
const order = defineJob<{ n: number }>({ name: "order", queue: QUEUE });
const PATIENCE_MS = 60_000;
const CONSUMERS = ["workers", "workers-high", "workers-low"];

/** A queue, and what a node of a version does to it that knew no subjects of single jobs. */
async function queueOf(server: { readonly url: string; namespace(): string }) {
  const namespace = server.namespace();
  const client: Millrace = await connect({ servers: server.url, namespace, env: {} });
  onTestFinished(() => client.close());
  await client.broker.queues.ensure(QUEUE);
  const nc = await connectNats({ servers: server.url });
  onTestFinished(() => nc.close());
  const jsm = await patientManager(nc);
  const stream = `${namespace}-queue-${QUEUE}`;
  const ran: string[] = [];
  const release = Promise.withResolvers<void>();
  return {
    ...{ namespace, client, jsm, stream, ran, release },
    startNode: () =>
      startNodeOnServer(server, {
        namespace,
        jobs: [
          order.handler(async ({ job }) => {
            ran.push(job.id);
            if (job.id === "held") await release.promise;
          }),
        ],
      }),
    async setFiltersBack(): Promise<void> {
      for (const name of CONSUMERS) {
        const { config } = await jsm.consumers.info(stream, name);
        const filters = config.filter_subjects?.filter((filter) => !filter.endsWith("*"));
        await jsm.consumers.update(stream, name, { ...config, filter_subjects: filters ?? [] });
      }
    },
    async hasRun(id: string): Promise<void> {
      await within(client.handle(id, QUEUE).result(), PATIENCE_MS, `the job ${id}`);
    },
  };
}

describeEachServer("a job that its lane's consumer has skipped", (server) => {
  test("is brought back by the next node of this version, and none that is in hand runs twice", async () => {
    const queue = await queueOf(server);
    const { client, ran } = queue;
    await queue.startNode();
    await client.enqueue(order, { n: 1 }, { id: "held" });
    await eventually(() => ran.includes("held"), {
      withinMs: PATIENCE_MS,
      describe: "a job is in hand",
    });
    await queue.setFiltersBack();
    const lanes = ["high", "normal", "low"] as const;
    for (const priority of lanes) {
      await client.enqueue(order, { n: 1 }, { id: `skipped-${priority}`, priority });
      const later = await client.enqueue(order, { n: 2 }, { priority });
      await within(later.result(), PATIENCE_MS, "a later job of the lane");
    }
    expect(ran.filter((id) => id.startsWith("skipped"))).toEqual([]);
    await queue.startNode();
    for (const priority of lanes) {
      const again = { id: `skipped-${priority}`, priority };
      expect(await client.enqueue(order, { n: 3 }, again)).toMatchObject({ duplicate: true });
    }
    queue.release.resolve();
    await queue.hasRun("held");
    for (const priority of lanes) await queue.hasRun(`skipped-${priority}`);
    await eventually(
      async () => (await queue.jsm.streams.info(queue.stream)).state.messages === 0,
      {
        withinMs: PATIENCE_MS,
        describe: "nothing is left in the queue",
      },
    );
    expect(ran.filter((id) => id === "held" || id.startsWith("skipped")).toSorted()).toEqual([
      "held",
      "skipped-high",
      "skipped-low",
      "skipped-normal",
    ]);
  });

  test("is not made: a queue takes such jobs once all its consumers do", async () => {
    const queue = await queueOf(server);
    const { jsm, stream, client, ran } = queue;
    await queue.startNode();
    await queue.setFiltersBack();
    const { config } = await jsm.streams.info(stream);
    const subjects = config.subjects.filter((subject) => !subject.endsWith("*"));
    await jsm.streams.update(stream, { ...config, subjects });
    await client.broker.queues.ensure(QUEUE);
    await client.broker.queues.setIntake(QUEUE, "closed");
    await client.broker.queues.setIntake(QUEUE, "open");
    await client.enqueue(order, { n: 1 }, { id: "shared" });
    await queue.hasRun("shared");
    expect((await jsm.streams.info(stream)).config.subjects.toSorted()).toEqual(
      subjects.toSorted(),
    );
    await queue.startNode();
    expect((await jsm.streams.info(stream)).config.subjects.toSorted()).toEqual(
      config.subjects.toSorted(),
    );
    await client.enqueue(order, { n: 1 }, { id: "keyed" });
    await queue.hasRun("keyed");
    expect(ran).toEqual(["shared", "keyed"]);
  });
});
