import { beforeEach, describe, expect, test } from "vitest";
import {
  type Delivery,
  type Envelope,
  MillraceError,
  UNSETTLED,
  type WorkSubscription,
} from "@millrace/core";
import { MemoryBroker } from "./memory-broker.ts";
import { MemoryServer } from "./memory/memory-server.ts";
import { SimulatedClock } from "./simulated-clock.ts";

const LEASE_MS = 30_000;

function job(id: string, more: Partial<Envelope> = {}): Envelope {
  return {
    ...UNSETTLED,
    id,
    name: "greet",
    queue: "mail",
    payload: { n: 1 },
    createdAt: 1,
    headers: {},
    ...more,
  };
}

let clock: SimulatedClock;
let server: MemoryServer;
let broker: MemoryBroker;
let other: MemoryBroker;

beforeEach(async () => {
  clock = new SimulatedClock();
  server = new MemoryServer(clock);
  broker = new MemoryBroker({ server });
  other = new MemoryBroker({ server });
  await broker.queues.ensure("mail");
});

async function worker(
  on: MemoryBroker,
  slots = 10,
): Promise<{
  readonly got: Delivery[];
  readonly lost: string[];
  readonly subscription: WorkSubscription;
}> {
  const got: Delivery[] = [];
  const lost: string[] = [];
  const subscription = await on.work("mail", {
    leaseMs: LEASE_MS,
    freeSlots: () => slots - got.length,
    onDelivery: (delivery) => {
      got.push(delivery);
      delivery.lease.onLost(() =>
        lost.push(`${delivery.message.headers["nats-msg-id"]} at ${clock.monotonic()}`),
      );
    },
  });
  return { got, lost, subscription };
}

describe("a memory broker under faults", () => {
  test("a lease is extended for as long as the delivery is unsettled", async () => {
    const { got, lost } = await worker(broker);
    await broker.enqueue([job("a")]);
    await clock.advance("1h");
    expect([got.length, got[0]?.lease.isHeld(), lost]).toEqual([1, true, []]);
    await broker.settle(got[0] as Delivery, [{ do: "ack" }]);
    expect([got[0]?.lease.isHeld(), clock.pending]).toEqual([false, 0]);
  });

  test("a crashed holder hears nothing, and its job comes to the next one with a higher delivery count", async () => {
    const first = await worker(broker);
    await broker.enqueue([job("a")]);
    await clock.advance(0);
    broker.crashHolder();
    const second = await worker(other);
    await clock.advance(LEASE_MS - 1);
    expect(second.got).toEqual([]);
    await clock.advance(1);
    expect(second.got.map(({ deliveryCount }) => deliveryCount)).toEqual([2]);
    expect(first.lost).toEqual([]);
    await expect(broker.settle(first.got[0] as Delivery, [{ do: "ack" }])).rejects.toMatchObject({
      code: "lock-lost",
    });
    expect(await other.queues.snapshot("mail")).toMatchObject({ queued: 0, running: 1 });
  });

  test("a holder that is cut off gives up before the job can pass to another", async () => {
    const first = await worker(broker);
    await broker.enqueue([job("a")]);
    await clock.advance(0);
    const statuses: string[] = [];
    broker.onStatus((status) => statuses.push(status));
    broker.disconnect();
    const second = await worker(other);
    await clock.advance(LEASE_MS - 1);
    expect([first.lost, first.got[0]?.lease.isHeld(), second.got.length]).toEqual([
      ["a at 27000"],
      false,
      0,
    ]);
    await clock.advance(1);
    expect(second.got.length).toBe(1);
    broker.reconnect();
    await expect(broker.settle(first.got[0] as Delivery, [{ do: "ack" }])).rejects.toMatchObject({
      code: "lock-lost",
    });
    expect(statuses).toEqual(["disconnected", "connected"]);
  });

  test("a cut that is shorter than the lease goes unnoticed by the job", async () => {
    const { got, lost } = await worker(broker);
    await broker.enqueue([job("a")]);
    await clock.advance(LEASE_MS / 3 - 1);
    broker.disconnect();
    await clock.advance(LEASE_MS / 3);
    expect(await broker.enqueue([job("b")])).toMatchObject([
      { ok: false, error: { code: "publish-timeout" } },
    ]);
    await expect(broker.ping()).rejects.toMatchObject({ code: "request-timeout" });
    broker.reconnect();
    await clock.advance(LEASE_MS * 3);
    expect([got.length, lost, got[0]?.lease.isHeld()]).toEqual([1, [], true]);
  });

  test("loseLeases tells the holder, then gives the job to another", async () => {
    const { got, lost, subscription } = await worker(broker);
    await broker.enqueue([job("a")]);
    await clock.advance(5);
    await subscription.stop();
    broker.loseLeases("mail");
    expect(lost).toEqual(["a at 5"]);
    const second = await worker(other);
    await clock.advance(0);
    expect([got.length, second.got[0]?.deliveryCount]).toEqual([1, 2]);
  });

  test("a step that is made to fail does nothing, nor do those after it, and a second try works", async () => {
    const { got } = await worker(broker);
    await broker.enqueue([job("a")]);
    await clock.advance(0);
    const next = job("a", { generation: 1, attempts: 1 });
    broker.failNext("requeue", new MillraceError("publish-timeout", "no confirmation"));
    const steps = [{ do: "requeue", envelope: next }, { do: "ack" }] as const;
    await expect(broker.settle(got[0] as Delivery, steps)).rejects.toMatchObject({
      code: "publish-timeout",
    });
    expect([got[0]?.lease.isHeld(), await broker.queues.snapshot("mail")]).toMatchObject([
      true,
      { queued: 0, running: 1 },
    ]);
    await broker.settle(got[0] as Delivery, steps);
    await clock.advance(0);
    expect(got.map(({ message }) => message.origin)).toEqual(["producer", "runtime"]);
  });

  test("a delayed job moves on time, is kept while nobody moves it, and while its queue is full", async () => {
    await broker.queues.ensure("mail", { maxJobs: 2 });
    const { got, subscription } = await worker(broker);
    await broker.enqueue([job("a")]);
    await clock.advance(0);
    await subscription.stop();
    await broker.settle(got[0] as Delivery, [
      {
        do: "requeue",
        envelope: job("a", { generation: 1, attempts: 1, notBefore: clock.now() + 60_000 }),
      },
      { do: "ack" },
    ]);
    await broker.enqueue([job("b"), job("c")]);
    await clock.advance("2m");
    expect(await broker.queues.snapshot("mail")).toMatchObject({ queued: 2, delayed: 1 });
    const mover = await broker.moveDueJobs();
    await clock.advance("5s");
    expect(await broker.queues.snapshot("mail")).toMatchObject({ queued: 2, delayed: 1 });
    const second = await worker(other);
    await clock.advance(0);
    await other.settle(second.got[0] as Delivery, [{ do: "ack" }]);
    await clock.advance("1s");
    expect(second.got.map(({ message }) => message.headers["nats-msg-id"])).toEqual([
      "b",
      "c",
      "millrace/a/1",
    ]);
    await mover.stop();
    await mover.stop();
  });

  test("a requeue that outgrew the limit sheds its errors, and fails where that is not enough", async () => {
    const small = new MemoryBroker({ server, maxMessageBytes: 2_000 });
    const { got } = await worker(small);
    await small.enqueue([job("a")]);
    await clock.advance(0);
    const lastError = { type: "Error", message: "m".repeat(1_024), stack: "s".repeat(2_048) };
    const grown = job("a", { generation: 1, attempts: 1, lastError });
    await small.settle(got[0] as Delivery, [
      { do: "requeue", envelope: { ...grown, payload: "p".repeat(2_200) } },
      { do: "ack" },
    ]);
    await clock.advance(0);
    expect(await small.queues.snapshot("mail")).toMatchObject({ running: 1 });
    const fits = small.settle(got[1] as Delivery, [
      { do: "requeue", envelope: { ...grown, generation: 2, payload: "p".repeat(3_200) } },
    ]);
    await expect(fits).rejects.toMatchObject({ code: "payload-too-large" });
  });

  test("brokers of one server share everything; without one they share nothing", async () => {
    await broker.enqueue([job("a")]);
    expect(await other.queues.list()).toMatchObject([{ queue: "mail", queued: 1 }]);
    expect(await new MemoryBroker({ clock }).queues.list()).toEqual([]);
  });

  test("what was delivered to a watcher while it was cut off arrives after the reconnect, in order", async () => {
    const seen: unknown[] = [];
    await (
      await broker.documents("settings")
    ).watch(({ key, document }) => seen.push([key, document?.value]));
    broker.disconnect();
    const documents = await other.documents("settings");
    await documents.put("mail", { paused: true });
    await documents.remove("mail");
    await clock.advance(0);
    expect(seen).toEqual([]);
    broker.reconnect();
    await clock.advance(0);
    expect(seen).toEqual([
      ["mail", { paused: true }],
      ["mail", undefined],
    ]);
  });
});
