import { join } from "node:path";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import type { MillraceError } from "@millrace/core";
import { patientManager } from "../harness/administrator.ts";
import type { LeaseId } from "../../packages/broker-nats/src/lease/lease.ts";
import { LeaseKeeper } from "../../packages/broker-nats/src/lease/lease-keeper.ts";
import type { Delivery } from "../../packages/broker-nats/src/pull/delivery.ts";
import { PullSubscription } from "../../packages/broker-nats/src/pull/pull-subscription.ts";
import { eventually } from "../harness/deadline.ts";
import { startChild } from "../harness/child.ts";
import { describeOnOwnServers } from "./real-server.ts";
import { until, workQueue } from "./streams.ts";

const options = {
  noAsyncTraces: true,
  maxReconnectAttempts: -1,
  reconnectTimeWait: 50,
  reconnectJitter: 0,
};
/** Two thirds of it are longer than a busy machine keeps a thread waiting. */
const ACK_WAIT_MS = 3_000;

interface Holding {
  readonly held: boolean;
  readonly lost: boolean;
}

const isHolding = (message: unknown): message is Holding =>
  typeof message === "object" && message !== null && "held" in message;

async function deliveries(nc: NatsConnection, count: number): Promise<Delivery[]> {
  const got: Delivery[] = [];
  const pulls = new PullSubscription({
    nc,
    stream: "Q",
    consumer: "W",
    freeSlots: () => count - got.length,
    onMessage: (delivery) => got.push(delivery),
  });
  await until(`${count} deliveries`, () => got.length === count);
  await pulls.stop();
  return got;
}

async function redeliveries(nc: NatsConnection): Promise<number> {
  const info = await (await patientManager(nc)).consumers.info("Q", "W");
  return info.delivered.consumer_seq - info.delivered.stream_seq;
}

describeOnOwnServers("LeaseKeeper", (start) => {
  test("a main thread stalled for three times ack_wait keeps its leases", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc, { ackWaitMs: ACK_WAIT_MS });
    const lost: LeaseId[] = [];
    const keeper = await LeaseKeeper.open({
      connection: { servers: server.url },
      ackWaitMs: ACK_WAIT_MS,
      onLost: (lease) => lost.push(lease),
    });
    for (let i = 0; i < 300; i += 1) nc.publish("jobs.a", "x");
    const got = await deliveries(nc, 300);
    const leases = got.map((delivery) => keeper.register(delivery.ackSubject));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * ACK_WAIT_MS);
    expect(leases.every((lease) => keeper.isHeld(lease))).toBe(true);
    // Somebody else asks for work: a lease that had run out would be handed out here.
    let stolen = 0;
    const thief = new PullSubscription({
      nc,
      stream: "Q",
      consumer: "W",
      freeSlots: () => 10,
      onMessage: () => (stolen += 1),
    });
    await nc.flush();
    await Promise.all(
      got.map(({ ackSubject }) => nc.request(ackSubject, "+ACK", { timeout: 10_000 })),
    );
    for (const lease of leases) keeper.release(lease);
    expect(await redeliveries(nc)).toBe(0);
    expect(stolen).toBe(0);
    expect(lost).toEqual([]);
    expect((await (await patientManager(nc)).streams.info("Q")).state.messages).toBe(0);
    await thief.stop();
    await keeper.close();
    await keeper.close();
  });

  test("after a stall, what may have lain in the socket is nobody's, and what comes after a round trip is held", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc, { ackWaitMs: ACK_WAIT_MS });
    const { promise: caughtUp, resolve } = Promise.withResolvers<void>();
    const held: boolean[] = [];
    const keeper = await LeaseKeeper.open({
      connection: { servers: server.url },
      ackWaitMs: ACK_WAIT_MS,
      onLost: () => {},
      roundTrip: async () => {
        await nc.flush();
        // Once the keeper has heard of it; a busy machine may stall the loop before the messages
        // do.
        if (held.length > 0) setImmediate(resolve);
      },
    });
    for (let i = 0; i < 2; i += 1) nc.publish("jobs.a", "x");
    await nc.flush();
    const pulls = new PullSubscription({
      nc,
      stream: "Q",
      consumer: "W",
      freeSlots: () => 2 - held.length,
      onMessage: (delivery) => {
        if (held.length === 0)
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * ACK_WAIT_MS);
        const lease = keeper.register(delivery.ackSubject);
        held.push(keeper.isHeld(lease));
        keeper.release(lease);
      },
    });
    await caughtUp;
    expect(held).toEqual([false, false]);
    const next = keeper.register("$JS.ACK.Q.W.1.3.3.1697042342342342342.0");
    expect(keeper.isHeld(next)).toBe(true);
    keeper.release(next);
    await pulls.stop();
    await keeper.close();
  });

  test("a process stopped for twice ack_wait knows when it wakes that it lost its lease", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc, { ackWaitMs: ACK_WAIT_MS });
    nc.publish("jobs.a", "x");
    const child = startChild(join(import.meta.dirname, "lease-program.ts"), {
      args: [server.url, String(ACK_WAIT_MS)],
    });
    const says = (): Promise<Holding> => child.message(isHolding, 20_000);
    const ask = (): Promise<Holding> => {
      child.send({ ask: true });
      return says();
    };
    expect(await says()).toEqual({ held: true, lost: false });
    // Held well beyond one ack_wait first: it is being extended.
    const from = performance.now();
    await until("twice ack_wait", () => performance.now() - from > 2 * ACK_WAIT_MS);
    expect(await ask()).toEqual({ held: true, lost: false });
    child.signal("SIGSTOP");
    const stoppedAt = performance.now();
    const [again] = await deliveries(nc, 1);
    await until("twice ack_wait, stopped", () => performance.now() - stoppedAt > 2 * ACK_WAIT_MS);
    expect(again?.deliveryCount).toBe(2);
    child.send({ ask: true });
    child.signal("SIGCONT");
    expect(await says()).toMatchObject({ held: false });
    // Asked, it knows at once; told, it is by a message of the worker, which may still be on its
    // way.
    await eventually(
      async () => {
        const { held, lost } = await ask();
        expect(held).toBe(false);
        return lost;
      },
      { withinMs: 20_000, describe: "onLost in the process that slept" },
    );
    // The sleeper doesn't extend what is the other's by now.
    const [third] = await deliveries(nc, 1);
    expect(third?.deliveryCount).toBe(3);
    await child.kill();
  });

  test("with the server cut off, onLost comes before ack_wait has passed, and it stays lost", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc, { ackWaitMs: ACK_WAIT_MS });
    const lost: [LeaseId, number][] = [];
    const keeper = await LeaseKeeper.open({
      connection: { servers: server.url },
      ackWaitMs: ACK_WAIT_MS,
      onLost: (lease) => lost.push([lease, performance.now()]),
    });
    nc.publish("jobs.a", "x");
    const [delivery] = await deliveries(nc, 1);
    const lease = keeper.register(delivery?.ackSubject ?? "");
    await server.pause();
    const cutAt = performance.now();
    try {
      await until("onLost", () => lost.length > 0);
    } finally {
      server.resume();
    }
    expect(lost[0]?.[0]).toBe(lease);
    expect((lost[0]?.[1] ?? 0) - cutAt).toBeLessThan(ACK_WAIT_MS);
    expect(keeper.isHeld(lease)).toBe(false);
    await nc.flush();
    const [again] = await deliveries(nc, 1);
    expect(again?.deliveryCount).toBe(2);
    const next = keeper.register(again?.ackSubject ?? "");
    expect(keeper.isHeld(next)).toBe(true);
    expect(keeper.isHeld(lease)).toBe(false);
    keeper.release(lease);
    keeper.release(lease);
    keeper.release(next);
    expect(lost).toHaveLength(1);
    await keeper.close();
  });

  test("reports why it can't start, and shows no secret", async () => {
    await using server = await start({ config: `authorization { user: u, password: "right" }` });
    const opening = LeaseKeeper.open({
      connection: {
        servers: server.url,
        auth: { kind: "password", user: "u", password: "wr0ng-secret" },
      },
      ackWaitMs: 1_000,
      onLost: () => {},
    });
    await expect(opening).rejects.toMatchObject({
      code: "auth-failed",
      message: expect.not.stringContaining("wr0ng-secret"),
    });
  });
});

describe("LeaseKeeper", () => {
  test("leases held while the worker keeps failing are lost in time", async () => {
    const lost: LeaseId[] = [];
    const problems: MillraceError[] = [];
    const failing =
      "const { parentPort } = require('node:worker_threads'); parentPort.postMessage({ kind: 'ready' }); setTimeout(() => { throw new Error('broken'); }, 50);";
    const keeper = await LeaseKeeper.open({
      connection: { servers: "unused" },
      ackWaitMs: 4_000,
      onLost: (lease) => lost.push(lease),
      onProblem: (error) => problems.push(error),
      workerUrl: new URL(
        `data:text/javascript,${encodeURIComponent(`import { createRequire } from 'node:module'; const require = createRequire('file:///');${failing}`)}`,
      ),
    });
    const lease = keeper.register("$JS.ACK.Q.W.1.1.1.1697042342342342342.0");
    const from = performance.now();
    await until("the loss", () => lost.length > 0);
    expect(performance.now() - from).toBeLessThan(4_000);
    expect(lost).toEqual([lease]);
    await until("a second worker", () => problems.length >= 2);
    expect(problems[0]).toMatchObject({
      code: "broker-unavailable",
      message: expect.stringContaining("broken"),
    });
    expect(() => keeper.register("x".repeat(2_000))).toThrow(
      expect.objectContaining({ code: "lease-unusable" }),
    );
    expect(() => keeper.register("x", 100)).toThrow(
      expect.objectContaining({ code: "lease-unusable" }),
    );
    await keeper.close();
  });
});
