import type { Delivery, HistoryRecord } from "@millrace/core";
import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { patientManager } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { within } from "../harness/deadline.ts";
import { startProxy } from "../harness/proxy.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type Collected, CollectingWorker, jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";

const COUNT = 30;

describeEachServer("records of jobs that end in one turn", (server) => {
  const batched = (): boolean => server.generation === "newest";

  /** A node with jobs in its hands, and whoever looks at them past its line. */
  async function inHand() {
    const namespace = server.namespace();
    const proxy = await startProxy(server.url);
    const broker = await connected({ servers: proxy.url, namespace, reconnectWaitMs: 50 });
    await broker.queues.ensure("q");
    const worker = await CollectingWorker.start(broker, "q");
    await broker.enqueue(Array.from({ length: COUNT }, () => jobFor("q")));
    await worker.nth(COUNT);
    // A server that is killed forgets acks: some come again, and are not more jobs.
    const jobs = worker.got.slice(0, COUNT);
    let inBatches = 0;
    proxy.dropToServer(({ subject, reply }) => {
      if (subject.startsWith(`${namespace}.history.`) && reply?.endsWith(".$FI") === true)
        inBatches += 1;
      return false;
    });
    const ends = () =>
      Promise.all(
        jobs.map(async ({ envelope: { id } }) =>
          (await broker.history.read({ id })).map(({ state, node }) => `${state} by ${node}`),
        ),
      );
    return { namespace, proxy, broker, jobs, ends, inBatches: () => inBatches };
  }

  test("are in the history once each, on a newer server by one acknowledgement", async () => {
    const { broker, jobs, ends, inBatches } = await inHand();
    await Promise.all(jobs.map((job) => settle(broker, job, "here")));
    expect(await ends()).toEqual(jobs.map(() => ["succeeded by here"]));
    // Under a cluster's elections some go out one by one.
    if (!batched()) expect(inBatches()).toBe(0);
    else expect(inBatches()).toBeGreaterThan(0);
  });

  test.each([0, 12, COUNT - 1])(
    "of which %i is another's already: it is told so alone, and the others are recorded",
    async (odd) => {
      const { namespace, broker, jobs, ends } = await inHand();
      const other = await connected({ servers: server.url, namespace });
      const theirs = jobs[odd] as Collected;
      // By the same delivery: another run of the job that ended first.
      await settleThere(other, theirs);
      const became = await Promise.allSettled(jobs.map((job) => settle(broker, job, "here")));
      expect(
        became.map((one) => (one.status === "fulfilled" ? "settled" : one.reason.code)),
      ).toEqual(jobs.map((_, index) => (index === odd ? "already-ended" : "settled")));
      expect(await ends()).toEqual(
        jobs.map((_, index) => [index === odd ? "succeeded by there" : "succeeded by here"]),
      );
    },
  );

  test("of which the acknowledgements were lost are settled, and recorded once", async () => {
    const { namespace, proxy, broker, jobs, ends } = await inHand();
    let lost = 0;
    const heard = proxy.dropFromServer(({ payload }) => {
      const isAck = payload.toString().startsWith(`{"stream":"${namespace}-history"`);
      if (isAck) lost += 1;
      return isAck;
    });
    const settled = Promise.all(jobs.map((job) => settle(broker, job, "here")));
    await expect.poll(() => lost, { timeout: 20_000 }).toBeGreaterThan(0);
    heard();
    await within(settled, 20_000, "the jobs to be settled");
    expect(await ends()).toEqual(jobs.map(() => ["succeeded by here"]));
  });

  test("while the server is killed are settled, and recorded once", async () => {
    const { namespace, proxy, broker, jobs, ends } = await inHand();
    let passed = 0;
    const whole = proxy.dropToServer(
      ({ subject }) => subject.startsWith(`${namespace}.history.`) && (passed += 1) > COUNT / 2,
    );
    const settled = Promise.all(jobs.map((job) => settle(broker, job, "here")));
    await expect.poll(() => passed, { timeout: 20_000 }).toBeGreaterThanOrEqual(COUNT);
    whole();
    await server.kill();
    await server.restart();
    await within(settled, 30_000, "the jobs to be settled");
    expect(await ends()).toEqual(jobs.map(() => ["succeeded by here"]));
  });

  test("of a history that an older version made, and of one whose flag is taken away meanwhile", async () => {
    const namespace = server.namespace();
    const nc = await connect({ servers: server.url });
    cleanUpLater(() => nc.close());
    const jsm = await patientManager(nc);
    await jsm.streams.add({
      ...{ name: `${namespace}-history`, subjects: [`${namespace}.history.>`] },
      duplicate_window: 100e6,
    });
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure("q");
    const worker = await CollectingWorker.start(broker, "q");
    const { config } = await jsm.streams.info(`${namespace}-history`);
    const isAlone = nc.info?.cluster === undefined;
    expect(config.allow_batched === true).toBe(batched() && isAlone);
    await broker.enqueue(Array.from({ length: COUNT }, () => jobFor("q")));
    await worker.nth(COUNT);
    if (batched()) await jsm.streams.update(config.name, { ...config, allow_batched: false });
    await Promise.all(worker.got.map((job) => settle(broker, job, "here")));
    expect((await jsm.streams.info(config.name)).state.messages).toBe(COUNT);
  });
});

type Settler = Awaited<ReturnType<typeof connected>>;

function settle(broker: Settler, job: Collected, node: string): Promise<void> {
  return broker.settle(job.delivery, [
    { do: "record", record: recordOf(job, node) },
    { do: "ack" },
  ]);
}

/** The record alone, by a job of its own that this broker holds. */
async function settleThere(other: Settler, job: Collected): Promise<void> {
  await other.queues.ensure("elsewhere");
  const worker = await CollectingWorker.start(other, "elsewhere");
  await other.enqueue([jobFor("elsewhere")]);
  const { delivery } = await worker.nth(1);
  await other.settle(delivery, [{ do: "record", record: recordOf(job, "there") }]);
}

function recordOf({ envelope, delivery }: Collected, node: string): HistoryRecord {
  const { id, name, queue, generation } = envelope;
  return {
    ...{ id, name, queue, generation, node },
    ...{ state: "succeeded", outcome: "succeeded", attempts: 1, at: Date.now() },
    ...firstOf(delivery),
  };
}

function firstOf({ message }: Delivery): Pick<HistoryRecord, "sequence" | "firstStoredAt"> {
  return { sequence: message.sequence, firstStoredAt: message.storedAt };
}
