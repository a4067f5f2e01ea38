import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type Broker,
  defineJob,
  type Logger,
  silentLogger,
  UNSETTLED,
  withOwn,
} from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, it, vi } from "vitest";
import { retryingRequests } from "../../packages/broker-nats/src/connection/retrying-requests.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { connectionsOf, MONITOR_CONFIG } from "../harness/cluster/members.ts";
import { lasting, patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { newSeed, SeededRandom } from "./oracle/seeded-random.ts";
import { connectTo } from "./programs/connect.ts";

/**
 * Longer than a busy machine keeps a node from extending it. In cluster mode it outlasts an
 * election, and what a dying leader gave to nobody comes as much later.
 */
const LEASE_MS = lasting(5_000);
vi.setConfig({ testTimeout: patient(180_000 + 2 * LEASE_MS) });

const ROUNDS = 12;
const QUEUE = "stress";
const JOB = "stress.job";
const IDLE_QUEUE = "idle";

describeEachServer(
  "20: services started and stopped over and over",
  (server) => {
    it("leave nothing behind: no handle here; no connection, subscription, pull or reader there", async () => {
      const random = new SeededRandom(newSeed());
      console.log(`seed ${random.seed}`);
      const namespace = server.namespace();
      const observer = await connect({ servers: server.url });
      cleanUpLater(() => observer.close());
      const before = handles();
      const seen: Seen = { given: new Set(), redelivered: 0, unseen: 0, leftBehind: 0 };
      for (let round = 0; round <= ROUNDS; round += 1) {
        const broker = await connectTo({ servers: server.url, namespace });
        if (round === ROUNDS) await finishAll(broker, seen);
        else if (round % 3 === 2) await brokerLife(broker, random);
        else await nodeLife(broker, random, round, seen);
        await Promise.all([broker.close(), broker.close()]);
        await broker.close();
        expect(broker.status).toBe("closed");
      }

      await eventually(async () => (await connectionsOf(server.members)).length === 1, {
        withinMs: 20_000,
        describe: "only the observer is still connected",
      });
      const manager = await jetstreamManager(retryingRequests(observer));
      for (const queue of [QUEUE, IDLE_QUEUE]) {
        for (const consumer of ["workers-high", "workers", "workers-low"]) {
          const { num_waiting: pulls, num_ack_pending: unsettled } = await manager.consumers.info(
            `${namespace}-queue-${queue}`,
            consumer,
          );
          expect({ queue, consumer, pulls, unsettled }).toEqual({
            queue,
            consumer,
            pulls: 0,
            unsettled: 0,
          });
        }
      }
      const { leftBehind, redelivered, unseen } = seen;
      console.log(`${leftBehind} left behind, ${redelivered} again, ${unseen} met nobody`);
      // Stopping does not look like a crash, except where a node said that it ran out of time. A
      // leader that dies may have given all that waited to nobody.
      expect(seen.redelivered).toBeLessThanOrEqual(seen.leftBehind + server.deaths.length * ROUNDS);
      for (const stream of ["history", "dead"])
        expect((await manager.streams.info(`${namespace}-${stream}`)).state.consumer_count).toBe(0);
      await eventually(() => JSON.stringify(handles()) === JSON.stringify(before), {
        withinMs: 20_000,
        describe: () => `${JSON.stringify(handles())} is ${JSON.stringify(before)}`,
      });
    });
  },
  { config: MONITOR_CONFIG },
);

/** What the nodes of a run said and did. */
interface Seen {
  /** The sequences of the messages that a node was given. */
  readonly given: Set<number>;
  /** Deliveries of a message that an earlier node had been given and did not settle. */
  redelivered: number;
  /**
   * Deliveries of a message that was sent before and reached nobody: the server was sending it at
   * the very moment when a node let go of its inbox, which no client can tell.
   */
  unseen: number;
  /** Jobs that a node said it could not hand back in time. */
  leftBehind: number;
}

/** A node stopped before, while or after it starts, idle or at work, once or several times. */
async function nodeLife(
  broker: Broker,
  random: SeededRandom,
  round: number,
  seen: Seen,
): Promise<void> {
  const { node, running } = makeNode(broker, `n${round}`, seen);
  const when = random.pick(["before", "while", "while", "after", "at-work"] as const);
  if (when !== "before") {
    const started = node.start();
    if (when === "while")
      for (let turns = random.between(0, 200); turns > 0; turns -= 1) await nextTurn();
    else await Promise.all([started, node.start()]);
    if (when === "at-work") {
      const job = {
        ...UNSETTLED,
        id: `job-${round}`,
        name: JOB,
        queue: QUEUE,
        payload: null,
        headers: {},
      };
      await broker.enqueue([{ ...job, createdAt: Date.now() }]);
      await running;
    }
    await Promise.all([node.stop(), node.stop({ immediate: random.next() < 0.3 }), started]);
  }
  await node.stop();
  expect(node.state).toBe("stopped");
  if (when === "before")
    await expect(node.start()).rejects.toMatchObject({ code: "already-stopped" });
}

/** What nodes that had to stop at once handed back, or left behind, is there for the next one. */
async function finishAll(broker: Broker, seen: Seen): Promise<void> {
  const { node } = makeNode(broker, "last", seen, false);
  await node.start();
  await eventually(
    async () => {
      const { queued, running } = await broker.queues.snapshot(QUEUE);
      return queued + running === 0;
    },
    { withinMs: 30_000, describe: "everything is done" },
  );
  await node.stop();
}

function makeNode(broker: Broker, name: string, seen: Seen, untilAborted = true) {
  let ran = (): void => {};
  const running = new Promise<void>((resolve) => (ran = resolve));
  const job = defineJob({ name: JOB, queue: QUEUE }).handler(async ({ signal }) => {
    ran();
    if (untilAborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  });
  const log: Logger = {
    ...silentLogger,
    warn: (fields) => {
      seen.leftBehind += "jobs" in fields ? Number(fields.jobs) : 0;
    },
    child: () => log,
  };
  return {
    node: createNode({
      broker: watched(broker, seen),
      jobs: [job],
      name,
      grace: "1s",
      lease: LEASE_MS,
      log,
    }),
    running,
  };
}

/** The same broker, which tells what it gives to its worker. */
function watched(broker: Broker, seen: Seen): Broker {
  return withOwn(broker, {
    work: (queue, options) =>
      broker.work(queue, {
        ...options,
        onDelivery: (delivery) => {
          const { message, deliveryCount } = delivery;
          if (seen.given.has(message.sequence)) seen.redelivered += 1;
          else if (deliveryCount > 1) seen.unseen += 1;
          seen.given.add(message.sequence);
          options.onDelivery(delivery);
        },
      }),
  });
}

/**
 * The broker's own services, each started twice and stopped twice, some only by the broker's end.
 */
async function brokerLife(broker: Broker, random: SeededRandom): Promise<void> {
  // Jobs of another queue are handed back by nodes; nobody here would settle them.
  await broker.queues.ensure(IDLE_QUEUE);
  const work = {
    freeSlots: () => 4,
    onDelivery: (): void => {},
    leaseMs: LEASE_MS,
  };
  const services = await Promise.all([
    broker.moveDueJobs(),
    broker.moveDueJobs(),
    broker.work(IDLE_QUEUE, work),
    broker.work(IDLE_QUEUE, work),
    broker.answerWhoRuns(() => undefined),
    broker.history.follow({ id: "any" }, () => {}),
  ]);
  await broker.history.read({ id: "any" });
  for (const service of random.shuffled(services)) {
    if (random.next() < 0.7) await Promise.all([service.stop(), service.stop()]);
  }
}

/** What keeps a process alive, timers included. */
function handles(): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) {
    if (/TCPSocket|TCPServer|MessagePort|Worker/.test(name)) counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
