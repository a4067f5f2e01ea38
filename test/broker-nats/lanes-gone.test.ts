import {
  laneWeights,
  LANE_CONSUMERS,
  LANE_NAMES,
  type LaneName,
  silentLogger,
} from "@millrace/core";
import { launchCluster } from "@millrace/nats-server";
import { SimulatedClock } from "@millrace/testkit";
import { headers, type Msg } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { isUnheard } from "../../packages/broker-nats/src/jetstream-errors.ts";
import { setMachine, systemMachine } from "../../packages/broker-nats/src/machine/machine.ts";
import { LanePulls } from "../../packages/broker-nats/src/work/lane-pulls.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { leaderOf } from "../harness/cluster/streams-of.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";
import { CollectingWorker, jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";
import { describeOnOwnServers, type StartServer } from "./real-server.ts";
import { until } from "./streams.ts";

/** Idle lanes at consumers that this test plays: each has one pull waiting. */
async function idleLanes(start: StartServer) {
  const server = await start();
  cleanUpLater(() => server.dispose());
  const dial = async () => {
    const nc = await connect({ servers: server.url, noAsyncTraces: true });
    cleanUpLater(() => nc.close());
    return nc;
  };
  const consumers = await dial();
  const nc = await dial();
  const clock = new SimulatedClock();
  setMachine(nc, { ...systemMachine, clock, random: () => 1 });
  const asked: Readonly<Record<LaneName, Msg[]>> = { high: [], normal: [], low: [] };
  let leaderless: LaneName | undefined;
  const answer = (pull: Msg, code: number, text: string) =>
    pull.respond("", { headers: headers(code, text) });
  consumers.subscribe("$JS.API.CONSUMER.MSG.NEXT.Q.*", {
    callback: (_error, pull) => {
      const lane = LANE_NAMES.find((name) => pull.subject.endsWith(`.${LANE_CONSUMERS[name]}`));
      if (pull.string().includes("no_wait")) answer(pull, 404, "No Messages");
      else if (lane !== undefined) {
        asked[lane].push(pull);
        if (lane === leaderless) answer(pull, 503, "No Responders");
      }
    },
  });
  await consumers.flush();
  const problems: string[] = [];
  new LanePulls({
    ...{ nc, stream: "Q", weights: laneWeights(), expiresMs: 30_000 },
    ...{ freeSlots: () => 5, mayPull: () => 5, freeBytes: () => 1e6 },
    receive: () => {
      throw new Error("nothing is sent");
    },
    ...{ hand: () => {}, handSurplus: undefined },
    // It waits for a leader.
    onConsumerMissing: () => new Promise(() => {}),
    onProblem: ({ message }) => void problems.push(message),
  });
  const times = () => LANE_NAMES.map((name) => asked[name].length);
  const areAsked = (...wanted: readonly number[]) =>
    until(`pulls ${wanted.join()}`, () => times().join() === wanted.join());
  /** What was sent has come, and what follows from it. */
  const settle = async () => {
    for (const each of [consumers, nc, consumers, nc]) await each.flush();
  };
  await areAsked(1, 1, 1);
  return {
    ...{ clock, asked, problems, times, areAsked, settle },
    alive: (lane: LaneName) => answer(asked[lane].at(-1) as Msg, 100, "Idle Heartbeat"),
    lose: (lane: LaneName) => {
      leaderless = lane;
      answer(asked[lane].at(-1) as Msg, 503, "No Responders");
    },
    /** Whether nobody would get what the server sends for a pull. */
    isTakenBack: (pull: Msg | undefined) =>
      consumers.request(pull?.reply ?? "", "", { timeout: 10_000 }).then(() => false, isUnheard),
  };
}

describeOnOwnServers("lanes whose consumers are gone", (start) => {
  test("are asked anew when the normal one's silence is noticed, in place of their pulls", async () => {
    const lanes = await idleLanes(start);
    for (let second = 1; second <= 6; second += 1) {
      await lanes.clock.advance("1s");
      // Heard of after the normal one should have been: it keeps its pull.
      if (second === 4) lanes.alive("low");
      await lanes.settle();
    }
    await lanes.areAsked(2, 2, 1);
    await lanes.settle();
    expect(lanes.problems).toEqual([
      "Consumer workers of stream Q sent no heartbeat for a pull. Pulling anew.",
    ]);
    const before = [lanes.asked.high[0], lanes.asked.normal[0]];
    expect(await Promise.all(before.map(lanes.isTakenBack))).toEqual([true, true]);
  });

  test("are left alone while each is heard of", async () => {
    const lanes = await idleLanes(start);
    for (let second = 1; second <= 14; second += 1) {
      await lanes.clock.advance("1s");
      if (second % 2 === 0) lanes.alive("normal");
      if (second % 7 === 0) for (const lane of ["high", "low"] as const) lanes.alive(lane);
      await lanes.settle();
    }
    expect([lanes.times(), lanes.problems]).toEqual([[1, 1, 1], []]);
  });

  test.each(LANE_NAMES)("are asked anew once when nobody answers for the %s one", async (gone) => {
    const lanes = await idleLanes(start);
    await lanes.clock.advance("1s");
    lanes.lose(gone);
    await lanes.areAsked(...LANE_NAMES.map((name) => (name === gone ? 1 : 2)));
    const asked = () => lanes.asked[gone].length;
    for (let second = 1; second <= 3; second += 1) {
      const before = asked();
      await lanes.clock.advance("1s");
      await until("the next pull", () => asked() > before);
      await lanes.settle();
    }
    const others = LANE_NAMES.filter((name) => name !== gone);
    expect(others.map((name) => lanes.asked[name].length)).toEqual([2, 2]);
    expect(lanes.problems).toEqual([]);
  });

  test("are left alone where they are being served as nobody answers for one", async () => {
    const lanes = await idleLanes(start);
    await lanes.clock.advance("1s");
    for (const lane of ["high", "low"] as const) lanes.alive(lane);
    await lanes.settle();
    lanes.lose("normal");
    await lanes.settle();
    await lanes.clock.advance("30ms");
    lanes.alive("high");
    await lanes.settle();
    await lanes.clock.advance("30ms");
    // The low one was heard of no more.
    await until("the low one's pull", () => lanes.asked.low.length === 2);
    await lanes.settle();
    expect(lanes.asked.high).toHaveLength(1);
  });
});

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`a cluster of three (${nameOf(target)})`, () => {
    test("a queue's one server that is killed and back: high jobs wait no longer than others", async () => {
      if (target.state === "missing") return;
      outOfCluster();
      const cluster = await launchCluster({ path: target.path });
      cleanUpLater(() => cluster.dispose());
      const namespace = "shop";
      const setting = await connected({ servers: cluster.urls, namespace });
      await setting.queues.ensure("q", { replicas: 1 });
      const leader = await leaderOf(cluster.urls, "shop-queue-q");
      const victim = cluster.members.find(({ name }) => name === leader);
      expect(victim).toBeDefined();
      const servers = cluster.members.flatMap(({ name, url }) => (name === leader ? [] : url));
      const problems: string[] = [];
      const logger = {
        ...silentLogger,
        warn: (fields: object) => void problems.push(JSON.stringify(fields)),
      };
      const broker = await connected({ servers, namespace, logger });
      const worker = await CollectingWorker.start(broker, "q", { slots: 5 });
      await broker.enqueue([jobFor("q", { lane: "high" })]);
      await broker.settle((await worker.nth(1)).delivery, [{ do: "ack" }]);
      await victim?.kill();
      await victim?.restart();
      for (const lane of ["high", "low"] as const)
        await until(
          `a ${lane} job is stored`,
          () =>
            broker.enqueue([jobFor("q", { lane })]).then(
              () => true,
              () => false,
            ),
          60_000,
        );
      await worker.nth(3, 60_000);
      const silent = problems.filter((problem) => problem.includes("sent no heartbeat"));
      expect(silent.filter((problem) => !problem.includes("Consumer workers of"))).toEqual([]);
    }, 180_000);
  });
}
