import { LANE_CONSUMERS } from "@millrace/core";
import { launchCluster } from "@millrace/nats-server";
import { SimulatedClock } from "@millrace/testkit";
import { headers, type Msg } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { setMachine, systemMachine } from "../../packages/broker-nats/src/machine/machine.ts";
import { PullSubscription } from "../../packages/broker-nats/src/pull/pull-subscription.ts";
import { patientManager } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";
import { jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";
import { describeOnOwnServers } from "./real-server.ts";
import { until } from "./streams.ts";

const STREAM = "shop-queue-q";
/** An election takes up to ten seconds; the heartbeats of an idle high lane tell in 22. */
const WITHIN_MS = 16_000;
/**
 * By then the other lanes had their turn once, and were empty; they are asked again when they have
 * it for the second time.
 */
const OTHERS_ARE_EMPTY = 1_050;
const WEIGHTS = { high: 1_000, normal: 1, low: 1 };

describeOnOwnServers(
  "a lane that is rarely heard of, at a consumer that this test plays",
  (start) => {
    /** Asks by short pulls, as a busy lane does. */
    async function busyLane() {
      const server = await start();
      cleanUpLater(() => server.dispose());
      const dial = async () => {
        const nc = await connect({ servers: server.url, noAsyncTraces: true });
        cleanUpLater(() => nc.close());
        return nc;
      };
      const [consumer, nc] = [await dial(), await dial()];
      const clock = new SimulatedClock();
      setMachine(nc, { ...systemMachine, clock, random: () => 1 });
      const asked: Msg[] = [];
      consumer.subscribe("$JS.API.CONSUMER.MSG.NEXT.Q.W", {
        callback: (_error, pull) => void asked.push(pull),
      });
      await consumer.flush();
      const problems: string[] = [];
      const pulls = new PullSubscription({
        ...{ nc, stream: "Q", consumer: "W", heartbeatMs: 7_500, freeSlots: () => 1 },
        plan: (outstanding) => (outstanding === 0 ? { batch: 1, expiresMs: 250 } : undefined),
        onMessage: () => {},
        onProblem: ({ message }) => void problems.push(message),
      });
      cleanUpLater(() => pulls.stop(0));
      const isAsked = (times: number) => until(`pull ${times}`, () => asked.length === times);
      /** What was sent has come, and what follows from it. */
      const settle = async () => {
        for (const each of [consumer, nc, consumer, nc]) await each.flush();
      };
      await isAsked(1);
      return { clock, asked, problems, isAsked, settle };
    }

    test("a short pull of which nothing is heard is asked anew within two seconds", async () => {
      const { clock, problems, isAsked, settle } = await busyLane();
      await clock.advance("1400ms");
      await settle();
      expect(problems).toEqual([]);
      await clock.advance("200ms");
      await isAsked(2);
      expect(problems).toEqual(["Consumer W of stream Q sent no end of a pull. Pulling anew."]);
    });

    test("a server that answers two seconds late is heard, and not asked ever more often", async () => {
      const { clock, asked, settle } = await busyLane();
      let answered = 0;
      const due: { readonly pull: Msg; readonly atMs: number }[] = [];
      for (let ms = 0; ms < 30_000; ms += 500) {
        await settle();
        for (const pull of asked.slice(due.length)) due.push({ pull, atMs: ms + 2_000 });
        for (const { pull, atMs } of due)
          if (atMs === ms) {
            answered += 1;
            pull.respond("", { headers: headers(408, "Request Timeout") });
          }
        await settle();
        await clock.advance("500ms");
      }
      expect(answered).toBeGreaterThan(10);
      // A living server would have been asked 120 times.
      expect(asked.length).toBeLessThan(25);
    });
  },
);

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`a cluster of three (${nameOf(target)})`, () => {
    test("one slot, busy with high jobs: what it asked for as their leader died is asked for anew", async () => {
      if (target.state === "missing") return;
      outOfCluster();
      const cluster = await launchCluster({ path: target.path });
      cleanUpLater(() => cluster.dispose());
      const namespace = "shop";
      const setting = await connected({ servers: cluster.urls, namespace });
      await setting.queues.ensure("q", { replicas: 3 });
      await using nc = await connect({ servers: [...cluster.urls] });
      // The consumers are there once a worker was.
      const first = { leaseMs: 30_000, freeSlots: () => 0, onDelivery: () => {} };
      await (await setting.work("q", first)).stop();
      const jsm = await patientManager(nc);
      const leads = (await jsm.consumers.info(STREAM, LANE_CONSUMERS.high)).cluster?.leader;
      const victim = cluster.members.find(({ name }) => name === leads);
      expect(victim).toBeDefined();
      const servers = cluster.members.flatMap(({ name, url }) => (name === leads ? [] : url));
      const broker = await connected({ servers, namespace });
      const all = Array.from({ length: 2_000 }, () => jobFor("q", { lane: "high" }));
      await broker.enqueue(all);
      let [busy, done] = [false, 0];
      const frozen = Promise.withResolvers<void>();
      const subscription = await broker.work("q", {
        ...{ leaseMs: 30_000, weights: WEIGHTS, freeSlots: () => (busy ? 0 : 1) },
        onDelivery: (delivery) => {
          busy = true;
          setImmediate(() => {
            // What the frozen one is told is told again.
            broker.settle(delivery, [{ do: "ack" }]).catch(() => {});
            busy = false;
            done += 1;
            // Its next pull, or the one after it, reaches a leader that answers no more.
            if (done === OTHERS_ARE_EMPTY) victim?.pause().then(frozen.resolve, frozen.reject);
            subscription.slotFreed();
          });
        },
      });
      cleanUpLater(() => subscription.stop());
      await frozen.promise;
      let before = -1;
      await until("no job comes", () => {
        const stands = done === before;
        before = done;
        return stands;
      });
      const sinceMs = performance.now();
      await victim?.kill();
      await until("the next job", () => done > before, 60_000);
      expect(performance.now() - sinceMs).toBeLessThan(WITHIN_MS);
    }, 180_000);
  });
}
