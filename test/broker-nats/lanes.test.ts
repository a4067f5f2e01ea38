import type { NatsBroker } from "@millrace/broker-nats";
import { type Delivery, type WorkOptions, type WorkSubscription } from "@millrace/core";
import { jetstream, type JetStreamClient, type JetStreamManager } from "@nats-io/jetstream";
import { headers } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { within } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { Names } from "../../packages/broker-nats/src/topology/subjects.ts";
import { storedSubjects } from "../../packages/broker-nats/src/topology/unlisted-subjects.ts";
import { jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";
import { until } from "./streams.ts";

interface Raw {
  readonly jsm: JetStreamManager;
  readonly js: JetStreamClient;
}

async function raw(server: TestServer): Promise<Raw> {
  const { nc, jsm } = await administrator(server);
  return { jsm, js: jetstream(nc) };
}

/** Holds what it gets until told to ack. */
class HoldingWorker {
  readonly got: Delivery[] = [];
  readonly surplus: Delivery[] = [];
  readonly #broker: NatsBroker;
  #held = 0;
  #subscription: WorkSubscription | undefined;

  constructor(broker: NatsBroker) {
    this.#broker = broker;
  }

  async start(queue: string, slots: number, more: Partial<WorkOptions> = {}): Promise<void> {
    const subscription = await this.#broker.work(queue, {
      leaseMs: 30_000,
      freeSlots: () => slots - this.#held,
      onDelivery: (delivery) => {
        this.got.push(delivery);
        this.#held += 1;
      },
      ...more,
    });
    this.#subscription = subscription;
    cleanUpLater(() => subscription.stop());
  }

  get bodies(): readonly string[] {
    return this.got.map(({ message }) => new TextDecoder().decode(message.body));
  }

  get lanes(): readonly (string | undefined)[] {
    return this.got.map(({ message }) => message.lane);
  }

  async nth(count: number): Promise<Delivery> {
    await until(`delivery ${count}; there were ${this.got.length}`, () => this.got.length >= count);
    return this.got[count - 1] as Delivery;
  }

  async ack(delivery: Delivery): Promise<void> {
    await this.#broker.settle(delivery, [{ do: "ack" }]);
    this.#held -= 1;
    this.#subscription?.slotFreed();
  }
}

/** Until the high, the normal and the low lane have so many pulls waiting at the server. */
async function pullsAre(wanted: string, server: TestServer, namespace: string): Promise<void> {
  const { jsm } = await raw(server);
  await until(`pulls ${wanted}`, async () => {
    const lanes = ["workers-high", "workers", "workers-low"].map((name) =>
      jsm.consumers.info(`${namespace}-queue-q`, name),
    );
    return String((await Promise.all(lanes)).map(({ num_waiting: pulls }) => pulls)) === wanted;
  });
}

describeEachServer("lanes", (server) => {
  test("a publish to a lane that does not exist is refused at once", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure("q");
    const { js } = await raw(server);
    // Nobody sends its publishes again.
    await server.calm();
    await expect(js.publish(`${namespace}.jobs.q.urgent`, "x")).rejects.toThrow(
      /responders|enabled/,
    );
    await expect(js.publish(`${namespace}.jobs.q.high`, "x")).resolves.toMatchObject({
      stream: `${namespace}-queue-q`,
    });
  });

  test("a woken job is served with the high lane, and keeps its own", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure("q");
    const { js } = await raw(server);
    const worker = new HoldingWorker(broker);
    // Nobody sends the woken ones again, and a lane whose pull dies with its leader has no share
    // for seconds.
    await server.calm();
    await worker.start("q", 1);
    await broker.enqueue(Array.from({ length: 30 }, () => jobFor("q")));
    await worker.nth(1);
    for (const lane of [undefined, "low", "high"]) {
      const head = headers();
      if (lane !== undefined) head.set("Millrace-Lane", lane);
      await js.publish(`${namespace}.requeue.q.woken`, `woken ${lane}`, { headers: head });
    }
    const woken = (): number => worker.bodies.filter((body) => body.startsWith("woken")).length;
    for (let count = 1; woken() < 3; count += 1) {
      expect(count).toBeLessThan(12);
      await worker.ack(await worker.nth(count));
      await worker.nth(count + 1);
    }
    const lanes = worker.got
      .filter((_, index) => worker.bodies[index]?.startsWith("woken"))
      .map(({ message }) => [message.lane, message.origin]);
    expect(lanes).toEqual([
      [undefined, "runtime"],
      ["low", "runtime"],
      ["high", "runtime"],
    ]);
  });

  test("a job that comes when the slot is taken has the next one", async () => {
    const broker = await connected({ servers: server.url, namespace: server.namespace() });
    await broker.queues.ensure("q");
    const worker = new HoldingWorker(broker);
    const surplus: Delivery[] = [];
    await worker.start("q", 1, { onSurplus: (delivery) => void surplus.push(delivery) });
    // What a dying leader has on its way is delivered once more.
    await server.calm();
    await broker.enqueue([
      jobFor("q"),
      jobFor("q", { lane: "high" }),
      jobFor("q", { lane: "low" }),
    ]);
    for (const count of [1, 2, 3]) await worker.ack(await worker.nth(count));
    expect([worker.got.length, surplus]).toEqual([3, []]);
    expect(worker.got.map(({ deliveryCount }) => deliveryCount)).toEqual([1, 1, 1]);
  });

  test("one that got no slot in time is surplus, and others are asked no more by a full worker", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure("q");
    const worker = new HoldingWorker(broker);
    const surplus = Promise.withResolvers<Delivery>();
    await worker.start("q", 1, { onSurplus: surplus.resolve });
    // A pull that dies with its leader is made again only where there is a slot.
    await server.calm();
    await pullsAre("1,1,1", server, namespace);
    await broker.enqueue([jobFor("q", { lane: "low" }), jobFor("q")]);
    await worker.nth(1);
    const handed = await within(surplus.promise, 20_000, "a surplus job");
    expect(handed.lease.isHeld()).toBe(true);
    expect(worker.got).toHaveLength(1);
    await pullsAre("0,0,0", server, namespace);
    // Handed back as a runtime does: published anew, then acked.
    await broker.settle(handed, [{ do: "ack" }]);
    await broker.enqueue([jobFor("q", { lane: "high" })]);
    await worker.ack(await worker.nth(1));
    expect((await worker.nth(2)).message.lane).toBe("high");
  });

  test("without a taker for surplus a job waits here, its lease kept", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure("q");
    const [worker, other] = [new HoldingWorker(broker), new HoldingWorker(broker)];
    await worker.start("q", 1, { leaseMs: 3_000 });
    // Its leases are shorter than an election.
    await server.calm();
    await pullsAre("1,1,1", server, namespace);
    await broker.enqueue([jobFor("q", { lane: "high" }), jobFor("q", { lane: "low" })]);
    const first = await worker.nth(1);
    await other.start("q", 1, { leaseMs: 3_000 });
    const end = performance.now() + 7_500;
    await until("two leases and a half", () => performance.now() > end);
    expect(other.got).toEqual([]);
    await worker.ack(first);
    expect((await worker.nth(2)).deliveryCount).toBe(1);
  });

  test("weights that starve a lane are refused", async () => {
    const broker = await connected({ servers: server.url, namespace: server.namespace() });
    await broker.queues.ensure("q");
    await expect(
      new HoldingWorker(broker).start("q", 1, { weights: { low: 0 } }),
    ).rejects.toMatchObject({ code: "invalid-option" });
  });
});

describeEachServer("a queue that an operator changed", (server) => {
  test("keeps what an operator set on it, subjects of his own included", async () => {
    const namespace = server.namespace();
    const { jsm, js } = await raw(server);
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure("q");
    const stream = `${namespace}-queue-q`;
    const { config } = await jsm.streams.info(stream);
    const own = `${namespace}.own.thing`;
    await jsm.streams.update(stream, { subjects: [...config.subjects, own], max_msgs: 7 });
    await broker.queues.ensure("q");
    const worker = new HoldingWorker(broker);
    await worker.start("q", 5);
    await server.calm();
    await js.publish(own, "own");
    await worker.nth(1);
    expect(worker.bodies).toEqual(["own"]);
    const kept = (await jsm.streams.info(stream)).config;
    expect([kept.max_msgs, kept.subjects]).toEqual([7, [...config.subjects, own]]);
    expect(await broker.queues.list()).toMatchObject([{ queue: "q", running: 1, queued: 0 }]);
  });

  test("is found to hold what an operator's pattern takes, however many jobs have subjects of their own", async () => {
    const namespace = server.namespace();
    const { jsm, js } = await raw(server);
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure("q");
    const names = new Names(namespace);
    const stream = names.queueStream("q");
    const { config } = await jsm.streams.info(stream);
    const subjects = [...config.subjects, `${namespace}.theirs.*`];
    await jsm.streams.update(stream, { subjects });
    for (const id of ["a", "b", "c"]) await js.publish(names.keyed("q", "normal", id), "{}");
    await js.publish(`${namespace}.theirs.x`, "theirs");
    for (const mostListed of [3, 4])
      expect(await storedSubjects(jsm, names, "q", mostListed)).toEqual({
        taken: subjects,
        unlisted: [`${namespace}.theirs.x`],
      });
  });
});
