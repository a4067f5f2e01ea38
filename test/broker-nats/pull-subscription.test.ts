import { AckPolicy } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import type { MillraceError } from "@millrace/core";
import { patientManager } from "../harness/administrator.ts";
import { ack, nak } from "../../packages/broker-nats/src/pull/ack.ts";
import type { Delivery } from "../../packages/broker-nats/src/pull/delivery.ts";
import { PullSubscription } from "../../packages/broker-nats/src/pull/pull-subscription.ts";
import type { PullSubscriptionOptions } from "../../packages/broker-nats/src/pull/pull-subscription-options.ts";
import { describeOnOwnServers } from "./real-server.ts";
import { until, workQueue } from "./streams.ts";

const options = {
  noAsyncTraces: true,
  maxReconnectAttempts: -1,
  reconnectTimeWait: 50,
  reconnectJitter: 0,
};

/**
 * An owner of `slots` slots that keeps each delivery until it is told to ack it, or acks on the
 * next turn.
 */
function owner(
  nc: NatsConnection,
  slots: number,
  mode: "ack" | "hold",
  more: Partial<PullSubscriptionOptions> = {},
) {
  const held: Delivery[] = [];
  const seen: Delivery[] = [];
  const problems: MillraceError[] = [];
  let busy = 0;
  let mostBusy = 0;
  const free = (delivery: Delivery): void => {
    ack(nc, delivery.ackSubject);
    busy -= 1;
    pulls.slotFreed();
  };
  const pulls = new PullSubscription({
    nc,
    stream: "Q",
    consumer: "W",
    freeSlots: () => slots - busy,
    onMessage: (delivery) => {
      seen.push(delivery);
      busy += 1;
      mostBusy = Math.max(mostBusy, busy);
      if (mode === "hold") held.push(delivery);
      else setImmediate(free, delivery);
    },
    onProblem: (error) => problems.push(error),
    ...more,
  });
  return { pulls, seen, held, problems, free, mostBusy: () => mostBusy };
}

function publish(nc: NatsConnection, count: number): void {
  for (let i = 0; i < count; i += 1) nc.publish(`jobs.${i}`, String(i));
}

async function waiting(nc: NatsConnection): Promise<number> {
  return (await (await patientManager(nc)).streams.info("Q")).state.messages;
}

describeOnOwnServers("PullSubscription", (start, generation) => {
  test("delivers each message once, never more than there are slots, in batched pulls", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await using spy = await connect({ servers: server.url, ...options });
    await workQueue(nc);
    const pullsSeen = spy.subscribe("$JS.API.CONSUMER.MSG.NEXT.Q.W", { callback: () => {} });
    await spy.flush();
    publish(nc, 2_000);
    const worker = owner(nc, 50, "ack");
    await until("2,000 deliveries", () => worker.seen.length >= 2_000);
    await until("an empty queue", async () => (await waiting(nc)) === 0);
    expect(worker.seen).toHaveLength(2_000);
    expect(new Set(worker.seen.map((delivery) => delivery.streamSequence)).size).toBe(2_000);
    expect(worker.mostBusy()).toBeLessThanOrEqual(50);
    expect(pullsSeen.getReceived()).toBeLessThan(400);
    const first = worker.seen[0];
    expect(first).toMatchObject({
      subject: "jobs.0",
      streamSequence: 1,
      consumerSequence: 1,
      deliveryCount: 1,
      headers: {},
    });
    expect(new TextDecoder().decode(first?.data)).toBe("0");
    expect(Math.abs((first?.publishedAtMs ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(worker.problems).toEqual([]);
    await worker.pulls.stop();
  });

  test("an idle queue always has a pull outstanding, also when pulls expire", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await using spy = await connect({ servers: server.url, ...options });
    await workQueue(nc);
    const pullsSeen = spy.subscribe("$JS.API.CONSUMER.MSG.NEXT.Q.W", { callback: () => {} });
    await spy.flush();
    const worker = owner(nc, 4, "hold", { expiresMs: 400, heartbeatMs: 100 });
    await until("three pulls in a row", () => pullsSeen.getReceived() >= 3);
    expect(worker.pulls.outstanding).toBe(4);
    publish(nc, 6);
    await until("4 deliveries", () => worker.held.length === 4);
    expect(worker.pulls.outstanding).toBe(0);
    worker.free(worker.held[0] as Delivery);
    await until("the fifth delivery", () => worker.held.length === 5);
    expect(worker.problems).toEqual([]);
    await worker.pulls.stop();
  });

  test("a full max_ack_pending is no fault", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc);
    await (await patientManager(nc)).consumers.update("Q", "W", { max_ack_pending: 1 });
    await using spy = await connect({ servers: server.url, ...options });
    const pullsSeen = spy.subscribe("$JS.API.CONSUMER.MSG.NEXT.Q.W", { callback: () => {} });
    await spy.flush();
    const worker = owner(nc, 4, "hold", { expiresMs: 400, heartbeatMs: 100 });
    publish(nc, 2);
    await until("a few expiries", () => pullsSeen.getReceived() >= 5);
    expect(worker.held).toHaveLength(1);
    worker.free(worker.held[0] as Delivery);
    await until("the second delivery", () => worker.held.length === 2);
    expect(worker.problems).toEqual([]);
    await worker.pulls.stop();
  });

  test("stop hands back what is on its way at once, and an idle one stops at once", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc);
    publish(nc, 3_000);
    const first = owner(nc, 200, "ack");
    await until("some deliveries", () => first.seen.length > 300);
    await first.pulls.stop();
    const taken = first.seen.length;
    const before = performance.now();
    const second = owner(nc, 200, "ack");
    await until("the rest", async () => (await waiting(nc)) === 0);
    // ack_wait is 30 s: nothing had to wait for it.
    expect(performance.now() - before).toBeLessThan(25_000);
    expect(first.seen).toHaveLength(taken);
    expect(
      new Set([...first.seen, ...second.seen].map((delivery) => delivery.streamSequence)).size,
    ).toBe(3_000);
    const idle = performance.now();
    await second.pulls.stop();
    await second.pulls.stop();
    expect(performance.now() - idle).toBeLessThan(10_000);
    publish(nc, 1);
    await nc.flush();
    expect(second.pulls.outstanding).toBe(0);
  });

  test("pause and resume", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc);
    const worker = owner(nc, 10, "ack");
    await worker.pulls.pause();
    publish(nc, 20);
    await nc.flush();
    worker.pulls.slotFreed();
    await nc.flush();
    expect(worker.seen).toHaveLength(0);
    worker.pulls.resume();
    worker.pulls.resume();
    await until("20 deliveries", () => worker.seen.length === 20);
    await worker.pulls.stop();
    worker.pulls.resume();
    expect(worker.pulls.outstanding).toBe(0);
  });

  test("a deleted consumer is created again", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc);
    const jsm = await patientManager(nc);
    let created = 0;
    const worker = owner(nc, 10, "ack", {
      heartbeatMs: 100,
      onConsumerMissing: async () => {
        created += 1;
        if (created === 1) throw new Error("not yet");
        await jsm.consumers.add("Q", { durable_name: "W", ack_policy: AckPolicy.Explicit });
      },
    });
    await jsm.consumers.delete("Q", "W");
    await until("the consumer's return", () => created === 2);
    publish(nc, 20);
    await until("20 deliveries", () => worker.seen.length === 20);
    expect(worker.problems.map((problem) => problem.code)).toContain("consumer-not-found");
    await worker.pulls.stop();
  });

  test("pulls resume after the server was killed and restarted", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc, { ackWaitMs: 1_000 });
    publish(nc, 100);
    const worker = owner(nc, 10, "ack");
    await until("100 deliveries", () => worker.seen.length >= 100);
    await server.kill();
    await server.restart();
    await until("a connection", () =>
      nc.flush().then(
        () => true,
        () => false,
      ),
    );
    publish(nc, 100);
    await until(
      "the other 100",
      () =>
        new Set(worker.seen.map((delivery) => delivery.subject + delivery.streamSequence)).size >=
        200,
    );
    await until("an empty queue", async () => (await waiting(nc)) === 0);
    await worker.pulls.stop();
  });

  test("a server that falls silent is noticed, and pulls resume", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc);
    const worker = owner(nc, 10, "ack", { expiresMs: 5_000, heartbeatMs: 100 });
    await nc.flush();
    await server.pause();
    try {
      await until("a report", () => worker.problems.length > 0);
    } finally {
      server.resume();
    }
    expect(worker.problems[0]?.code).toBe("broker-unavailable");
    publish(nc, 20);
    await until("20 deliveries", () => worker.seen.length === 20);
    await worker.pulls.stop();
  });

  test("a crowded consumer and one with small batches are served all the same", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    const jsm = await patientManager(nc);
    await jsm.streams.add({ name: "Q", subjects: ["jobs.>"] });
    await jsm.consumers.add("Q", {
      durable_name: "W",
      ack_policy: AckPolicy.Explicit,
      max_waiting: 1,
      max_batch: 3,
    });
    const one = owner(nc, 10, "ack", { expiresMs: 1_000, heartbeatMs: 100 });
    const two = owner(nc, 10, "ack", { expiresMs: 1_000, heartbeatMs: 100 });
    await until("a complaint", () => one.problems.length + two.problems.length > 0);
    publish(nc, 50);
    await until("50 deliveries", () => one.seen.length + two.seen.length >= 50);
    // From 2.11 on a pull with a heartbeat that finds no room gets no answer at all.
    const complaint = generation === "2.10" ? "max_waiting" : "no heartbeat";
    expect([...one.problems, ...two.problems].map((problem) => problem.message)).toContainEqual(
      expect.stringContaining(complaint),
    );
    await one.pulls.stop();
    await two.pulls.stop();
  });

  test("a nak delay in fractions is kept", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc);
    const worker = owner(nc, 1, "hold");
    publish(nc, 1);
    await until("a delivery", () => worker.held.length === 1);
    const [first] = worker.held as [Delivery];
    await worker.pulls.stop();
    const naked = performance.now();
    nak(nc, first.ackSubject, 300.123456);
    const again = owner(nc, 1, "hold");
    await until("the redelivery", () => again.held.length === 1);
    expect(performance.now() - naked).toBeGreaterThan(250);
    const [second] = again.held as [Delivery];
    expect(second.deliveryCount).toBe(2);
    await nc.request(second.ackSubject, "+ACK");
    expect(await waiting(nc)).toBe(0);
    await again.pulls.stop();
  });
});
