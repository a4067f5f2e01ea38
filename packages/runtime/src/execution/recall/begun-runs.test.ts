import {
  CANCELLATIONS_BUCKET,
  defineJob,
  isMeantRun,
  type Logger,
  MillraceError,
  silentLogger,
} from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { Heartbeats } from "../../presence/heartbeats.ts";
import { HEARTBEAT_MS, NODES_BUCKET, type NodeReport } from "../../presence/node-report.ts";
import { latch, QUEUE, type SimulatedNode, simulatedNode } from "../../fixtures/simulated-node.ts";
import { BegunRuns } from "./begun-runs.ts";

const SECOND = { node: "n2", instance: "second" };
/** Its own heartbeats are stored. */
const WATCHFUL = { patienceMs: 30_000, heartbeats: { steadyMs: 60_000, unstoredMs: 0 } };
/** Whether a node that says nothing of itself died in its run. */
const askedFrom = (begun: BegunRuns, since: number) => () =>
  begun.wasTakenDown({ node: "n1", instance: "first", seenAt: 0 }, since);
const NO_ANSWER = new MillraceError("publish-timeout", "no answer");

function fleet(poisonAfter: number, log: Logger = silentLogger) {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const hang = latch();
  const runs: string[] = [];
  const jobs = ["good", "poison"].map((name) =>
    defineJob({ name, queue: QUEUE }).handler(({ node }) => {
      runs.push(`${name} on ${node}`);
      return name === "good" && node === "n4" ? "done" : hang.promise;
    }),
  );
  return {
    clock,
    runs,
    node: (name: string) => simulatedNode({ jobs, clock, server, name, poisonAfter, log }),
  };
}

/**
 * Both suspects are there, and what became of `b` is not known until the latch opens: so `a` has
 * the turn and waits.
 */
function holdBack({ broker }: SimulatedNode): ReturnType<typeof latch<void>> {
  const [bothThere, known] = [latch(), latch()];
  const successors = broker.successors.bind(broker);
  broker.successors = async (envelope, message) => {
    if (envelope.id === "b") bothThere.open();
    await (envelope.id === "b" ? known : bothThere).promise;
    return successors(envelope, message);
  };
  return known;
}

/** A log of which the warnings about waits are kept. */
function waitsOf() {
  const waits: object[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (fields, message) =>
      void (message.includes("waits") && waits.push({ ...fields, message })),
    child: () => log,
  };
  return { log, waits };
}

/** Its process is gone: it says no more that it is there. */
function kill({ broker }: SimulatedNode): void {
  broker.crashHolder();
  broker.disconnect();
}

test("a job that reached a crashing process and never ran there is not buried with the one that did it", async () => {
  const { clock, node, runs } = fleet(3);
  const first = await node("n1");
  await first.enqueue("poison", null, { id: "p" });
  await first.enqueue("good", null, { id: "g" });
  kill(first);
  const second = await node("n2");
  await clock.advance("31s");
  kill(second);
  const third = await node("n3");
  await clock.advance("31s");
  expect(runs.slice(4)).toEqual(["poison on n3"]);
  // It was sent away once and comes back; the process goes down before it can be sent away again.
  third.broker.failNext("requeue", NO_ANSWER);
  await clock.advance("250ms");
  kill(third);
  const fourth = await node("n4");
  await clock.advance("2m");
  expect(await fourth.history("p")).toMatchObject([{ state: "dead", reason: "crashed" }]);
  expect((await fourth.history("g")).at(-1)).toMatchObject({ state: "succeeded", output: "done" });
  expect(runs.slice(5)).toEqual(["good on n4"]);
  const left = await (await fourth.broker.documents("suspects")).list();
  expect(left).toEqual([]);
});

test("with poisonAfter 1 the first crash is enough, and no turn is asked for", async () => {
  const { clock, node, runs } = fleet(1);
  const first = await node("n1");
  await first.enqueue("poison", null, { id: "p" });
  kill(first);
  const second = await node("n2");
  await clock.advance("31s");
  expect(await second.history("p")).toMatchObject([{ state: "dead", reason: "crashed" }]);
  expect(runs).toEqual(["poison on n1"]);
});

test("with poisonAfter 1 a job of another queue that runs under its id doesn't keep it alive", async () => {
  const { clock, node, runs } = fleet(1);
  const first = await node("n1");
  await first.enqueue("poison", null, { id: "p" });
  kill(first);
  const second = await node("n2");
  const namesake = { id: "p", queue: "another", name: "good", node: "n3", attempt: 1 };
  const running = { ...namesake, startedAt: clock.now(), createdAt: clock.now() };
  await second.broker.answerWhoRuns((id, meant) =>
    id === "p" && isMeantRun(running, meant) ? running : undefined,
  );
  await clock.advance("31s");
  expect(await second.history("p")).toMatchObject([{ state: "dead", reason: "crashed" }]);
  expect(runs).toEqual(["poison on n1"]);
});

test("a turn that can't be put on record doesn't begin until it can", async () => {
  const { clock, node, runs } = fleet(2);
  const first = await node("n1");
  await first.enqueue("good", null, { id: "g" });
  kill(first);
  const second = await node("n4");
  const open = second.broker.documents.bind(second.broker);
  let refusals = 3;
  second.broker.documents = (bucket) =>
    (refusals -= 1) >= 0 ? Promise.reject(NO_ANSWER) : open(bucket);
  await clock.advance("30s");
  expect(runs).toEqual(["good on n1"]);
  await clock.advance("2s");
  expect(runs).toEqual(["good on n1", "good on n4"]);
  expect(await second.history("g")).toMatchObject([{ state: "succeeded" }]);
});

/** Nodes that live and lose their leases; the job ends at its third run. */
function patient() {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const runs: string[] = [];
  const job = defineJob({ name: "slow", queue: QUEUE }).handler(({ node, signal }) => {
    runs.push(node);
    if (runs.length === 3) return "done";
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("told to stop")));
    });
  });
  const node = (name: string) =>
    simulatedNode({ jobs: [job], clock, server, name, poisonAfter: 2 });
  return { clock, node, runs };
}

test("who was last heard of before the question came up has a lease from when it counts as lost", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const holder = { node: "n1", instance: "first", seenAt: 0 };
  const report: NodeReport = {
    ...{ instance: "first", host: "h", pid: 1, startedAt: 0, state: "running", obeys: "running" },
    ...{ everyMs: HEARTBEAT_MS, queues: [] },
  };
  await (await broker.documents(NODES_BUCKET)).put("n1", report);
  const begun = new BegunRuns(broker, SECOND, WATCHFUL);
  const saidAt = clock.now();
  const told = async (afterMs: number): Promise<boolean | undefined> => {
    await clock.advance(`${saidAt + afterMs - clock.now()}ms`);
    return begun.wasTakenDown(holder, saidAt + 20_000);
  };
  expect(await told(40_000)).toBe(undefined);
  expect(await told(64_000)).toBe(undefined);
  expect(await told(66_000)).toBe(true);
  // The note of its turn came later than its last heartbeat: it lived then.
  const noted = { ...holder, seenAt: saidAt + 15_000 };
  const since = saidAt + 20_000;
  expect(await begun.wasTakenDown(noted, since)).toBe(undefined);
  await clock.advance("13s");
  expect(await begun.wasTakenDown(noted, since)).toBe(undefined);
  await clock.advance("2s");
  expect(await begun.wasTakenDown(noted, since)).toBe(true);
});

test("nobody is buried for leases that living nodes have lost: its own", async () => {
  const { clock, node, runs } = patient();
  const only = await node("n1");
  await only.enqueue("slow");
  for (let losses = 0; losses < 2; losses += 1) {
    only.broker.loseLeases(QUEUE);
    await clock.advance("1s");
  }
  expect(runs).toEqual(["n1", "n1", "n1"]);
  expect(await only.history()).toMatchObject([{ state: "succeeded", output: "done" }]);
});

test("nor of another's, which says with its next heartbeat that it lives", async () => {
  const { clock, node, runs } = patient();
  const first = await node("n1");
  await first.enqueue("slow");
  first.broker.loseLeases(QUEUE);
  await clock.advance("1s");
  expect(runs).toEqual(["n1", "n1"]);
  // Whoever had its turn is cut off, loses its lease, and is back.
  first.broker.disconnect();
  const second = await node("n2");
  await clock.advance("45s");
  expect(runs).toHaveLength(2);
  first.broker.reconnect();
  await clock.advance("11s");
  expect(runs).toEqual(["n1", "n1", "n2"]);
  expect(await second.history()).toMatchObject([{ state: "succeeded", output: "done" }]);
});

test("nor of one whose word a killed server has forgotten: it has time to say it again", async () => {
  const { clock, node, runs } = patient();
  const first = await node("n1");
  await first.enqueue("slow");
  first.broker.loseLeases(QUEUE);
  await clock.advance("1s");
  first.broker.disconnect();
  const second = await node("n2");
  await (await second.broker.documents(NODES_BUCKET)).remove("n1");
  await clock.advance("45s");
  expect(runs).toEqual(["n1", "n1"]);
  expect(await second.history()).toEqual([]);
  first.broker.reconnect();
  await clock.advance("11s");
  expect(runs).toEqual(["n1", "n1", "n2"]);
  expect(await second.history()).toMatchObject([{ state: "succeeded", output: "done" }]);
});

test("who says nothing at all counts as lost from when its heartbeats would have been missed", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const begun = new BegunRuns(broker, SECOND, WATCHFUL);
  const told = askedFrom(begun, clock.now());
  expect(await told()).toBe(undefined);
  await clock.advance("64s");
  expect(await told()).toBe(undefined);
  await clock.advance("1s");
  expect(await told()).toBe(true);
});

test("nobody is taken for dead by who could not say itself that it lives: others may say it next", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const heartbeats = new Heartbeats(clock);
  const begun = new BegunRuns(broker, SECOND, { patienceMs: 5_000, heartbeats });
  const told = askedFrom(begun, clock.now());
  heartbeats.sent();
  heartbeats.stored();
  await clock.advance("60s");
  heartbeats.sent();
  heartbeats.missed();
  expect(await told()).toBe(undefined);
  await clock.advance("5s");
  heartbeats.sent();
  heartbeats.stored();
  expect(await told()).toBe(undefined);
  await clock.advance("14s");
  expect(await told()).toBe(undefined);
  await clock.advance("1s");
  expect(await told()).toBe(true);
});

test("where the server stores each heartbeat late, that is not waited for without end", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const heartbeats = { steadyMs: 0, unstoredMs: 35_000 };
  const begun = new BegunRuns(broker, SECOND, { patienceMs: 5_000, heartbeats });
  const told = askedFrom(begun, clock.now());
  await clock.advance("399s");
  expect(await told()).toBe(undefined);
  await clock.advance("1s");
  expect(await told()).toBe(undefined);
  heartbeats.unstoredMs = 30_000;
  expect(await told()).toBe(true);
});

test("a job that waits until it is known whether its holder lives is told of in the log", async () => {
  const { log, waits } = waitsOf();
  const { clock, node, runs } = fleet(2, log);
  const first = await node("n1");
  await first.enqueue("poison", null, { id: "p" });
  kill(first);
  const second = await node("n2");
  await clock.advance("31s");
  expect(runs).toEqual(["poison on n1", "poison on n2"]);
  kill(second);
  const third = await node("n3");
  await clock.advance("43s");
  expect(waits).toEqual([]);
  const about = { job: "p", queue: QUEUE, name: "poison", holder: "n2" };
  const message = "a job waits: it may have ended the node that ran it last, or that node lives";
  await clock.advance("2s");
  expect(waits).toEqual([{ ...about, waitedMs: 15_000, message }]);
  await clock.advance("10m");
  expect(await third.history("p")).toMatchObject([{ state: "dead", reason: "crashed" }]);
  expect(waits).toHaveLength(1);
});

test("a suspect whose turn does not come is told of in the log", async () => {
  const { log, waits } = waitsOf();
  const { clock, node } = fleet(2, log);
  const first = await node("n1");
  await first.enqueue("good", null, { id: "a" });
  await first.enqueue("good", null, { id: "b" });
  kill(first);
  const second = await node("n4");
  const known = holdBack(second);
  await clock.advance("50s");
  const message = "a job waits for its turn to run alone: it may be what ends nodes";
  expect(waits).toMatchObject([{ job: "a", queue: QUEUE, name: "good", message }]);
  known.open();
  await clock.advance("10m");
  expect((await second.history("a")).at(-1)).toMatchObject({ state: "succeeded" });
  expect(waits).toHaveLength(1);
});

test("a suspect that is cancelled while it waits for its turn does not begin its quarantine meanwhile", async () => {
  const { clock, node, runs } = fleet(2);
  const first = await node("n1");
  await first.enqueue("good", null, { id: "a" });
  await first.enqueue("good", null, { id: "b" });
  kill(first);
  const second = await node("n4");
  const { broker } = second;
  const known = holdBack(second);
  const noted: string[] = [];
  const open = broker.documents.bind(broker);
  broker.documents = async (bucket) => {
    const documents = await open(bucket);
    const put = documents.put.bind(documents);
    return bucket === "suspects"
      ? Object.assign(documents, {
          put: (key: string, value: unknown) => {
            noted.push(key);
            return put(key, value);
          },
        })
      : documents;
  };
  await clock.advance("30s");
  expect(runs).toEqual(["good on n1", "good on n1"]);
  // Its settlement takes a while, and b is decided meanwhile.
  for (let tries = 0; tries < 3; tries += 1) broker.failNext("record", NO_ANSWER);
  const cancellations = await open(CANCELLATIONS_BUCKET);
  await cancellations.put(`${QUEUE}.a`, { reason: "user left", at: clock.now() });
  await clock.advance(10);
  known.open();
  await clock.advance("2s");
  expect(noted).toEqual([`${QUEUE}.b`]);
  expect((await second.history("a")).at(-1)).toMatchObject({ state: "cancelled" });
  await clock.advance("1m");
  expect((await second.history("b")).at(-1)).toMatchObject({ state: "succeeded" });
  expect(await (await open("suspects")).list()).toEqual([]);
});
