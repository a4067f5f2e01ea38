import {
  defineSignal,
  type JobRef,
  type JournalEntry,
  MAX_WAITING_SIGNALS,
  type Schema,
  type Steps,
  UNSETTLED,
  writeEntry,
  writeSignal,
} from "@millrace/core";
import { expect, test } from "vitest";
import { latch, QUEUE } from "../../fixtures/simulated-node.ts";
import { stepsScene } from "../../fixtures/steps-scene.ts";

const JOB: JobRef = { queue: QUEUE, id: "a" };

/** A node with one job of this handler, and a way to signal it. */
async function scene(handle: (step: Steps, did: string[]) => unknown) {
  const made = await stepsScene(handle);
  let sent = 0;
  const signal = (name: string, value: unknown, id = `s${(sent += 1)}`): Promise<void> =>
    made.broker.signals.send({ ...JOB, name }, writeSignal(value, id));
  return { ...made, signal };
}

function schema<T>(is: (value: unknown) => value is T): Schema<unknown, T> {
  const validate = (value: unknown) =>
    is(value) ? { value } : { issues: [{ message: "is another thing" }] };
  return { "~standard": { version: 1, vendor: "test", validate } };
}

const yesOrNo = schema((value) => typeof value === "boolean");
const aText = schema((value) => typeof value === "string");

test("a job that waits holds no slot and spends no attempt, and goes on when its signal comes", async () => {
  const { enqueue, clock, did, signal, history, node } = await scene(async (step, done) => {
    await step.run("ask", () => void done.push("ask"));
    const answer = await step.waitFor("approval");
    await step.run("act", () => void done.push("act"));
    return answer;
  });
  await enqueue("t.job");
  await clock.advance("1h");
  expect(node.running).toEqual([]);
  expect(did).toEqual(["ask"]);
  await signal("approval", { ok: true, at: new Date(0) });
  await clock.advance("1s");
  expect(did).toEqual(["ask", "act"]);
  expect(await history()).toMatchObject([
    { state: "requeued", outcome: "snoozed", attempts: 0 },
    { state: "succeeded", attempts: 1, output: { ok: true, at: new Date(0) } },
  ]);
});

test("without a signal it goes on at its deadline, with undefined", async () => {
  const { enqueue, clock, last } = await scene(
    async (step) => (await step.waitFor("approval", { timeout: "2h" })) === undefined,
  );
  await enqueue("t.job");
  await clock.advance("119m");
  expect(await last()).toMatchObject({ state: "requeued" });
  await clock.advance("1m");
  expect(await last()).toMatchObject({ state: "succeeded", output: true });
});

test("a signal that comes before the wait is taken at once, and one without a value is null", async () => {
  const { enqueue, clock, last, signal } = await scene(async (step) => {
    await step.sleep("first", "1h");
    return step.waitFor("approval");
  });
  await enqueue("t.job");
  await signal("approval", undefined);
  await clock.advance("1h");
  expect(await last()).toMatchObject({ state: "succeeded", output: null });
});

test("a signal in the moment between the look and the requeue wakes the job", async () => {
  const { enqueue, clock, last, signal, broker } = await scene((step) => step.waitFor("approval"));
  const settle = broker.settle.bind(broker);
  let isFirst = true;
  broker.settle = async (delivery, steps) => {
    if (isFirst && steps.some((step) => step.do === "requeue")) {
      isFirst = false;
      await signal("approval", "in between");
      // Whoever is told of it finds no job that waits.
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
    }
    await settle(delivery, steps);
  };
  await enqueue("t.job");
  await clock.advance("5s");
  expect(await last()).toMatchObject({ state: "succeeded", output: "in between" });
});

test("what is sent twice under one id is one signal, also when the first was taken long ago", async () => {
  const { enqueue, clock, last, signal } = await scene(async (step) => [
    await step.waitFor("item"),
    await step.waitFor("item"),
  ]);
  await enqueue("t.job");
  await clock.advance("1s");
  await signal("item", "one", "id-1");
  await clock.advance("1h");
  await signal("item", "one", "id-1");
  await clock.advance("1h");
  expect(await last()).toMatchObject({ state: "requeued" });
  await signal("item", "two", "id-2");
  await clock.advance("1s");
  expect(await last()).toMatchObject({ state: "succeeded", output: ["one", "two"] });
});

test("waits of one name at the same time are served in the order in which they were asked for", async () => {
  const { enqueue, clock, last, signal } = await scene((step) =>
    Promise.all([step.waitFor("item"), step.waitFor("item"), step.waitFor("other")]),
  );
  await enqueue("t.job");
  await clock.advance("1s");
  for (const item of ["one", "two"]) await signal("item", item);
  await signal("other", "three");
  await clock.advance("10s");
  expect(await last()).toMatchObject({ state: "succeeded", output: ["one", "two", "three"] });
});

test("a signal that does not satisfy the schema is passed over, and the job sleeps on", async () => {
  const approval = defineSignal("approval", yesOrNo);
  const { enqueue, clock, history, signal } = await scene((step) => step.waitFor(approval));
  await enqueue("t.job");
  await clock.advance("1s");
  await signal("approval", "perhaps");
  await clock.advance("1h");
  const woken = await history();
  expect(woken.map(({ outcome }) => outcome)).toEqual(["snoozed", "snoozed"]);
  await signal("approval", true);
  await clock.advance("1s");
  expect((await history()).at(-1)).toMatchObject({ state: "succeeded", output: true });
});

test("a signal that the first of two waits has passed over wakes their job once, and the next that comes again", async () => {
  const approval = defineSignal("approval", yesOrNo);
  const { enqueue, clock, history, signal } = await scene((step) =>
    Promise.all([step.waitFor(approval), step.waitFor(approval)]),
  );
  await enqueue("t.job");
  await clock.advance("1s");
  await signal("approval", "perhaps");
  await clock.advance("1h");
  const outcomes = async () => (await history()).map(({ outcome }) => outcome);
  expect(await outcomes()).toEqual(["snoozed", "snoozed"]);
  await signal("approval", true);
  await clock.advance("1s");
  expect(await outcomes()).toEqual(["snoozed", "snoozed", "snoozed"]);
  await signal("approval", false);
  await clock.advance("1s");
  expect((await history()).at(-1)).toMatchObject({ state: "succeeded", output: [true, false] });
});

test("what another life left open, and this one does not ask for, wakes its job once for each that comes", async () => {
  const { enqueue, clock, history, broker, signal } = await scene((step) =>
    step.sleep("another way", "3d"),
  );
  const run = { ...JOB, createdAt: clock.now() };
  const left = { n: 0, at: clock.now(), life: 1 } as const;
  const call = { state: "calling", child: { id: "c", queue: QUEUE }, isEnqueued: true } as const;
  for (const entry of [
    { ...left, name: "approval", kind: "wait", state: "waiting", passed: [] },
    { ...left, name: "called", kind: "call", ...call },
    { ...left, name: "c", kind: "child", end: "succeeded" },
  ] as const satisfies readonly JournalEntry[])
    await broker.journal.write(run, entry, writeEntry(entry));
  await signal("approval", true);
  await enqueue("t.job");
  await clock.advance("1h");
  await signal("approval", true);
  await clock.advance("1h");
  expect((await history()).map(({ outcome }) => outcome)).toEqual(["snoozed", "snoozed"]);
  await clock.advance("3d");
  expect((await history()).at(-1)).toMatchObject({ state: "succeeded" });
});

test("bytes that nobody can read are passed over; JSON from any client is read", async () => {
  const { enqueue, clock, broker, last } = await scene((step) => step.waitFor("approval"));
  await enqueue("t.job");
  await clock.advance("1s");
  const send = (text: string): Promise<void> =>
    broker.signals.send({ ...JOB, name: "approval" }, { data: Buffer.from(text) });
  await send("{ no json");
  await clock.advance("1m");
  expect(await last()).toMatchObject({ state: "requeued" });
  await send("true");
  await clock.advance("1s");
  expect(await last()).toMatchObject({ state: "succeeded", output: true });
});

test("a signal cuts no sleep short, and no pause before a retry of another step", async () => {
  const { enqueue, clock, last, signal, did } = await scene(async (step, done) => {
    await step.sleep("night", "8h");
    done.push("awake");
    return step.waitFor("approval");
  });
  await enqueue("t.job");
  await clock.advance("1h");
  await signal("approval", 1);
  await clock.advance("6h");
  expect(did).toEqual([]);
  await clock.advance("1h");
  expect(await last()).toMatchObject({ state: "succeeded", output: 1 });
});

test("a signal that comes while another step is under way is seen while it is", async () => {
  const slow = latch<string>();
  const { enqueue, clock, signal, did } = await scene(async (step, done) => {
    const work = step.run("work", () => slow.promise);
    void step.waitFor("stop").then(() => done.push("stop"));
    return work;
  });
  await enqueue("t.job");
  await clock.advance("1s");
  await signal("stop", null);
  await clock.advance("5s");
  expect(did).toEqual(["stop"]);
  slow.open("done");
});

test("signals of a job that has ended are forgotten; as many wait for one name as may", async () => {
  const { enqueue, clock, broker, signal, last } = await scene((step) => step.waitFor("item"));
  for (let i = 0; i < MAX_WAITING_SIGNALS; i += 1) await signal("item", i);
  await expect(signal("item", "more")).rejects.toMatchObject({ code: "queue-full" });
  await signal("other", "fits");
  await enqueue("t.job");
  await clock.advance("1s");
  expect(await last()).toMatchObject({ state: "succeeded", output: 0 });
  expect(await broker.signals.read({ ...JOB, name: "item" })).toEqual([]);
  expect(await broker.signals.read({ ...JOB, name: "other" })).toEqual([]);
});

test("signals that are refused leave room for one that is not, and those that another wait may take stay", async () => {
  const { enqueue, clock, signal, last } = await scene(async (step) => [
    await step.waitFor(defineSignal("item", yesOrNo)),
    await step.waitFor(defineSignal("item", aText)),
  ]);
  await enqueue("t.job");
  await clock.advance("1s");
  for (let i = 0; i < MAX_WAITING_SIGNALS; i += 1) await signal("item", i);
  await clock.advance("10s");
  for (let i = 0; i < MAX_WAITING_SIGNALS / 2 - 2; i += 1) await signal("item", i);
  await signal("item", "for the second");
  await signal("item", true);
  await clock.advance("10s");
  expect(await last()).toMatchObject({ state: "succeeded", output: [true, "for the second"] });
});

test("refused signals stay where another job of the id lies in the queue: they may be that one's", async () => {
  const ending = latch();
  const { enqueue, clock, signal, broker } = await scene(async (step) => {
    void step.waitFor(defineSignal("go", aText)).catch(() => {});
    return step.run("work", () => ending.promise);
  });
  await enqueue("t.job");
  await clock.advance("10m");
  await enqueue("t.job");
  for (let i = 0; i < MAX_WAITING_SIGNALS; i += 1) await signal("go", i);
  await clock.advance("10s");
  expect(await broker.signals.read({ ...JOB, name: "go" })).toHaveLength(MAX_WAITING_SIGNALS);
  ending.open();
});

test("what was sent to an earlier job of the id is not for this one", async () => {
  const { enqueue, clock, last, signal } = await scene(
    async (step) => (await step.waitFor("approval", { timeout: "1h" })) === undefined,
  );
  await signal("approval", "to the earlier one");
  await clock.advance("1d");
  await enqueue("t.job");
  await clock.advance("1h");
  expect(await last()).toMatchObject({ state: "succeeded", output: true });
});

test("a signal for the next job of an id is not forgotten with those of the one that has just ended", async () => {
  const { enqueue, clock, signal, history, broker } = await scene((step) => step.waitFor("go"));
  const settle = broker.settle.bind(broker);
  broker.settle = async (delivery, steps) => {
    await settle(delivery, steps);
    if (!steps.some((step) => step.do === "record" && step.record.state === "succeeded")) return;
    broker.settle = settle;
    const next = { ...UNSETTLED, ...JOB, name: "t.job", payload: null, headers: {} };
    await broker.enqueue([{ ...next, createdAt: clock.now() }]);
    await signal("go", "to the second");
  };
  await enqueue("t.job");
  await clock.advance("10m");
  await signal("go", "to the first");
  await clock.advance("1m");
  const ends = (await history()).filter(({ state }) => state === "succeeded");
  expect(ends.map(({ output }) => output)).toEqual(["to the first", "to the second"]);
});

test.each([
  ["sleeps", "1h"],
  ["lies in the queue", undefined],
] as const)(
  "the end of a job leaves the signal of another that has its id and %s",
  async (_where, sleep) => {
    const ending = latch();
    let jobs = 0;
    const { enqueue, clock, signal, history, broker } = await scene(async (step) => {
      const isFirst = await step.run("which", () => (jobs += 1) === 1);
      if (isFirst) return step.run("work", () => ending.promise);
      return (await step.waitFor("go", { timeout: "1h" })) ?? "no signal";
    });
    await enqueue("t.job");
    await clock.advance("10m");
    const notBefore = sleep === undefined ? undefined : clock.now() + 3_600_000;
    await enqueue("t.job", null, notBefore === undefined ? {} : { notBefore });
    await clock.advance("1s");
    await signal("go", "to the second");
    await clock.advance("1s");
    ending.open();
    await clock.advance("3h");
    const ends = (await history()).filter(({ state }) => state === "succeeded");
    expect(ends.map(({ output }) => output)).toEqual([undefined, "to the second"]);
    expect(await broker.signals.newest(JOB)).toBe(0);
  },
);
