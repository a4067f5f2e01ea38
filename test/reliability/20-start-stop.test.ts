import { setImmediate as nextTurn } from "node:timers/promises";
import { type Broker, defineJob, UNSETTLED } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, it, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { newSeed, SeededRandom } from "./oracle/seeded-random.ts";
import { connectTo } from "./programs/connect.ts";

vi.setConfig({ testTimeout: 90_000 });

const ROUNDS = 12;
const QUEUE = "stress";
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
      for (let round = 0; round < ROUNDS; round += 1) {
        const broker = await connectTo({ servers: server.url, namespace });
        const act = round % 3 === 2 ? brokerLife : nodeLife;
        await act(broker, random, round);
        await Promise.all([broker.close(), broker.close()]);
        await broker.close();
        expect(broker.status).toBe("closed");
      }

      await eventually(async () => (await connections(server)).length === 1, {
        withinMs: 15_000,
        describe: "only the observer is still connected",
      });
      const manager = await jetstreamManager(observer);
      for (const queue of [QUEUE, IDLE_QUEUE]) {
        const { num_waiting: pulls, num_ack_pending: unsettled } = await manager.consumers.info(
          `${namespace}-queue-${queue}`,
          "workers",
        );
        expect({ queue, pulls, unsettled }).toEqual({ queue, pulls: 0, unsettled: 0 });
      }
      for (const stream of ["history", "dead"])
        expect((await manager.streams.info(`${namespace}-${stream}`)).state.consumer_count).toBe(0);
      await eventually(() => JSON.stringify(handles()) === JSON.stringify(before), {
        withinMs: 10_000,
        describe: () => `${JSON.stringify(handles())} is ${JSON.stringify(before)}`,
      });
    });
  },
  { config: 'http: "127.0.0.1:-1"' },
);

/** A node stopped before, while or after it starts, idle or at work, once or several times. */
async function nodeLife(broker: Broker, random: SeededRandom, round: number): Promise<void> {
  let ran = (): void => {};
  const running = new Promise<void>((resolve) => (ran = resolve));
  const job = defineJob({ name: "stress.job", queue: QUEUE, grace: "100ms" }).handler(
    async ({ signal }) => {
      ran();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  );
  const node = createNode({ broker, jobs: [job], name: `n${round}`, grace: "1s", lease: "1s" });
  const when = random.pick(["before", "while", "while", "after", "at-work"] as const);
  if (when !== "before") {
    const started = node.start();
    if (when === "while")
      for (let turns = random.between(0, 200); turns > 0; turns -= 1) await nextTurn();
    else await Promise.all([started, node.start()]);
    if (when === "at-work") {
      await broker.enqueue([
        {
          ...UNSETTLED,
          id: `job-${round}`,
          name: "stress.job",
          queue: QUEUE,
          payload: null,
          createdAt: Date.now(),
          headers: {},
        },
      ]);
      await running;
    }
    await Promise.all([node.stop(), node.stop({ immediate: random.next() < 0.3 }), started]);
  }
  await node.stop();
  expect(node.state).toBe("stopped");
  if (when === "before")
    await expect(node.start()).rejects.toMatchObject({ code: "already-stopped" });
}

/** The broker's own services, each started twice and stopped twice, some only by the broker's end. */
async function brokerLife(broker: Broker, random: SeededRandom): Promise<void> {
  // Jobs of another queue are handed back by nodes; nobody here would settle them.
  await broker.queues.ensure(IDLE_QUEUE);
  const work = {
    freeSlots: () => 4,
    onDelivery: (): void => {},
    leaseMs: 1_000,
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

async function connections(server: TestServer): Promise<readonly unknown[]> {
  const line = await server.launched.log.waitFor(/Starting http monitor on/, 5_000);
  const address = /127\.0\.0\.1:\d+/.exec(line)?.[0] ?? "";
  const response = await fetch(`http://${address}/connz`, { headers: { connection: "close" } });
  return ((await response.json()) as { connections: unknown[] }).connections;
}

/** What keeps a process alive, timers included. */
function handles(): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) {
    if (/TCPSocket|TCPServer|MessagePort|Worker/.test(name)) counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
