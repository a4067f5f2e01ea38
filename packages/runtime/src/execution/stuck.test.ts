import {
  defineJob,
  type ErrorCode,
  type Logger,
  MillraceError,
  type SettlementStep,
  UNSETTLED,
} from "@millrace/core";
import type { MemoryBroker } from "@millrace/testkit";
import { expect, test, vi } from "vitest";
import { QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

/** Has a broker refuse every step of a kind until it is told otherwise. */
function refuse(broker: MemoryBroker, at: SettlementStep["do"], code: ErrorCode) {
  const settle = broker.settle.bind(broker);
  const spy = vi.spyOn(broker, "settle").mockImplementation(async (delivery, steps) => {
    const index = steps.findIndex((step) => step.do === at);
    if (index < 0) return settle(delivery, steps);
    if (index > 0) await settle(delivery, steps.slice(0, index));
    if (delivery.confirmed?.includes(steps[index] as SettlementStep) === true)
      return settle(delivery, steps.slice(index));
    throw new MillraceError(code, "no");
  });
  return () => spy.mockRestore();
}

function listeningLog() {
  const [warn, error] = [vi.fn(), vi.fn()];
  const log: Logger = { debug() {}, info() {}, warn, error, child: () => log };
  return { log, warn, error };
}

async function scene(more: { slots?: number; handle?: () => unknown } = {}) {
  const runs: string[] = [];
  const gauges = new Map<string, number>();
  const { log, warn, error } = listeningLog();
  const job = defineJob({ name: "t.job", queue: QUEUE, retry: "none" }).handler(
    ({ job: { id } }) => {
      runs.push(id);
      return more.handle?.();
    },
  );
  const made = await simulatedNode({
    jobs: [job],
    log,
    slots: more.slots ?? 4,
    metrics: {
      increment() {},
      observe() {},
      gauge: (name, labels, value) =>
        void (value !== undefined && gauges.set([name, ...Object.values(labels)].join(" "), value)),
    },
  });
  return { ...made, runs, gauges, warn, error };
}

test("a success whose record is refused for good is a letter after a lease: run once, its slot free, and everybody is told", async () => {
  const { broker, clock, enqueue, error, gauges, node, runs } = await scene();
  refuse(broker, "record", "permission-denied");
  await enqueue("t.job");
  await clock.advance("29s");
  expect(node.health()).toMatchObject({ ready: true });
  await clock.advance("5s");
  expect(error).toHaveBeenCalledTimes(1);
  expect(error).toHaveBeenCalledWith(
    expect.objectContaining({ job: "a", doing: "record" }),
    expect.stringContaining("can't be carried out") as string,
  );
  await clock.advance("1h");
  expect(runs).toEqual(["a"]);
  expect(await broker.deadLetters.list()).toMatchObject([
    {
      id: "a",
      reason: "unsettled",
      error: {
        type: "permission-denied",
        message: expect.stringContaining("ended as succeeded") as string,
      },
    },
  ]);
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0 });
  expect(gauges.get(`millrace_settlements_stuck ${QUEUE}`)).toBe(0);
  expect(node.health().problems).toEqual([]);
});

test("a success is kept while the server takes nothing for minutes: nothing more is pulled, nothing runs again, and then it is recorded", async () => {
  const { broker, clock, enqueue, gauges, history, node, runs } = await scene({ slots: 2 });
  const heal = refuse(broker, "record", "broker-unavailable");
  await enqueue("t.job", null, { id: "a" });
  await enqueue("t.job", null, { id: "b" });
  await clock.advance("40s");
  expect(gauges.get(`millrace_settlements_stuck ${QUEUE}`)).toBe(2);
  expect(node.health()).toMatchObject({
    live: true,
    ready: false,
    problems: [`queue ${QUEUE}: 2 jobs can't be settled (record: broker-unavailable)`],
  });
  await enqueue("t.job", null, { id: "c" });
  await clock.advance("3m");
  expect(runs).toEqual(["a", "b"]);
  heal();
  await clock.advance("3s");
  expect(await history("a")).toMatchObject([{ state: "succeeded" }]);
  expect(runs).toEqual(["a", "b", "c"]);
  expect(node.health().problems).toEqual([]);
  expect(gauges.get(`millrace_settlements_stuck ${QUEUE}`)).toBe(0);
});

test("beyond ten leases jobs are let go, and a queue in which nothing can be settled runs a handler seldom, not in a loop", async () => {
  const { broker, clock, enqueue, node, runs } = await scene();
  const heal = refuse(broker, "record", "broker-unavailable");
  for (let n = 0; n < 8; n += 1) await enqueue("t.job", null, { id: `j${n}` });
  await clock.advance("4m");
  expect(runs).toHaveLength(4);
  await clock.advance("90s");
  expect(node.running).toHaveLength(0);
  await clock.advance("1h");
  expect(runs.length).toBeLessThan(20);
  expect(node.health().live).toBe(true);
  heal();
  await clock.advance("15m");
  expect(new Set(runs).size).toBe(8);
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0, dead: 0 });
  expect(node.health().problems).toEqual([]);
});

test("a success on record that its batch can't hear of goes back after a lease, is never run again, and keeps no other job waiting", async () => {
  const { broker, clock, enqueue, history, node, runs } = await scene({ slots: 2 });
  const leave = vi
    .spyOn(broker.batches, "leave")
    .mockRejectedValue(new MillraceError("permission-denied", "no"));
  const callback = { ...UNSETTLED, id: "cb", name: "t.job", queue: QUEUE, payload: null };
  await broker.batches.open({
    id: "batch",
    createdAt: clock.now(),
    callback: { ...callback, createdAt: clock.now(), headers: {} },
  });
  await broker.batches.join("batch", [{ id: "a", queue: QUEUE }]);
  await enqueue("t.job", null, { batch: "batch" });
  await enqueue("t.job", null, { id: "b" });
  await clock.advance("35s");
  expect(runs).toEqual(["a", "b"]);
  expect(await history("a")).toMatchObject([{ state: "succeeded" }]);
  await clock.advance("5m");
  expect(runs).toEqual(["a", "b"]);
  expect(node.health().problems).toMatchObject([
    expect.stringMatching(/1 job can't be settled \(what follows: permission-denied\)/),
  ]);
  leave.mockRestore();
  await clock.advance("2m");
  expect(runs).toEqual(["a", "b", "cb"]);
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0 });
});

test("a retry that is refused for good is a letter in the end, with the bytes of its job", async () => {
  const { broker, clock, enqueue } = await simulatedNode({
    jobs: [
      defineJob({ name: "t.job", queue: QUEUE }).handler(() => Promise.reject(new Error("broken"))),
    ],
  });
  refuse(broker, "requeue", "permission-denied");
  await enqueue("t.job", { to: "ada" });
  await clock.advance("40s");
  const [letter, ...more] = await broker.deadLetters.list();
  expect(more).toEqual([]);
  expect(letter).toMatchObject({
    reason: "unsettled",
    error: { message: expect.stringContaining("ended as failed") as string },
  });
  expect(Buffer.from(letter?.body ?? []).includes("ada")).toBe(true);
});

test("a retry that is published needs no record to live on: the job is not dead as well", async () => {
  let runs = 0;
  const { broker, clock, enqueue, history } = await simulatedNode({
    jobs: [
      defineJob({
        name: "t.job",
        queue: QUEUE,
        retry: { backoff: "fixed", base: "1s", jitter: false },
      }).handler(() => {
        runs += 1;
        if (runs === 1) throw new Error("once");
      }),
    ],
  });
  const heal = refuse(broker, "record", "permission-denied");
  await enqueue("t.job");
  await clock.advance("20s");
  heal();
  await clock.advance("1m");
  expect(runs).toBeLessThanOrEqual(2);
  expect((await history()).at(-1)).toMatchObject({ state: "succeeded" });
  expect(await broker.deadLetters.list()).toEqual([]);
});

test("each kind of trouble is logged at once and then seldom, however many jobs have it", async () => {
  const { broker, clock, enqueue, warn } = await scene({ slots: 10 });
  refuse(broker, "record", "broker-unavailable");
  for (let n = 0; n < 10; n += 1) await enqueue("t.job", null, { id: `j${n}` });
  const lines = () => warn.mock.calls.filter(([, text]) => /could not do/.test(String(text)));
  expect(lines()).toHaveLength(1);
  await clock.advance("25s");
  expect(lines()).toHaveLength(3);
  expect(lines()[1]).toMatchObject([{ alike: expect.any(Number) as number }, expect.any(String)]);
});
