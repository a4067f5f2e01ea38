import { type JobRef, type Schema, writeSignal } from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE } from "../../fixtures/simulated-node.ts";
import { stepsScene } from "../../fixtures/steps-scene.ts";

const JOB: JobRef = { queue: QUEUE, id: "a" };
const AWAY = new Error("the directory is away");

/** A schema that says what is said here: yes, no, or that it can't say. */
function judge(says: {
  verdict: "yes" | "no" | "away";
}): Schema<unknown, unknown> & { asked: number } {
  const made = {
    asked: 0,
    "~standard": {
      ...({ version: 1, vendor: "test" } as const),
      validate: async (value: unknown) => {
        made.asked += 1;
        await Promise.resolve();
        if (says.verdict === "away") throw AWAY;
        return says.verdict === "yes" ? { value } : { issues: [{ message: "is another thing" }] };
      },
    },
  };
  return made;
}

test("a signal whose schema throws is not passed over: the next attempt asks it anew", async () => {
  const says: Parameters<typeof judge>[0] = { verdict: "away" };
  const schema = judge(says);
  const { enqueue, clock, broker, last } = await stepsScene((step) =>
    step.waitFor("approval", { schema }),
  );
  await enqueue("t.job");
  await clock.advance("1s");
  await broker.signals.send({ ...JOB, name: "approval" }, writeSignal("fine", "s1"));
  await clock.advance("100ms");
  while (schema.asked === 0) await clock.advance("100ms");
  says.verdict = "yes";
  await clock.advance("1h");
  expect(await last()).toMatchObject({ state: "succeeded", output: "fine", attempts: 2 });
});

test("a handler that catches what a schema throws can't wait for the name in another step", async () => {
  const says: Parameters<typeof judge>[0] = { verdict: "away" };
  const { enqueue, clock, broker, did, history, last } = await stepsScene(async (step, done) => {
    const schema = judge(says);
    const got = await step.waitFor("approval", { schema }).catch(() => step.waitFor("approval"));
    await step.run("charge", () => void done.push("charge"));
    await step.sleep("pause", "1h");
    return got;
  });
  await enqueue("t.job");
  await clock.advance("1s");
  await broker.signals.send({ ...JOB, name: "approval" }, writeSignal("fine", "s1"));
  await clock.advance("5s");
  says.verdict = "yes";
  await clock.advance("3h");
  expect(did).toEqual(["charge"]);
  expect(await last()).toMatchObject({ state: "succeeded", output: "fine", attempts: 2 });
  expect((await history()).map(({ outcome, error }) => error?.message ?? outcome)).toEqual([
    "snoozed",
    AWAY.message,
    "snoozed",
    "succeeded",
  ]);
});

test.each(["its step", "a sleep"])(
  "a handler that catches what a schema throws and goes another way ends the attempt, before %s",
  async (way) => {
    const says: Parameters<typeof judge>[0] = { verdict: "away" };
    const { enqueue, clock, broker, did, history, last } = await stepsScene(async (step, done) => {
      const schema = judge(says);
      const pause = way === "a sleep" ? step.sleep("pause", "1h") : undefined;
      try {
        await step.waitFor("approval", { schema });
        await step.run("charge", () => void done.push("charge"));
      } catch {
        if (pause === undefined) await step.run("fallback", () => void done.push("fallback"));
      }
      await (pause ?? step.sleep("pause", "1h"));
    });
    await enqueue("t.job");
    await clock.advance("1s");
    await broker.signals.send({ ...JOB, name: "approval" }, writeSignal("fine", "s1"));
    await clock.advance("5s");
    expect((await history()).map(({ outcome }) => outcome)).toEqual(["snoozed", "failed"]);
    says.verdict = "yes";
    await clock.advance("3h");
    expect(did).toEqual(["charge"]);
    expect(await last()).toMatchObject({ state: "succeeded", attempts: 2 });
  },
);

test("another wait of the name that is open beside it doesn't take the signal", async () => {
  const says: Parameters<typeof judge>[0] = { verdict: "away" };
  const { enqueue, clock, broker, last } = await stepsScene((step) =>
    Promise.all([
      step.waitFor("approval", { schema: judge(says) }).catch(() => "none"),
      step.waitFor("approval", { timeout: "1h" }),
    ]),
  );
  await enqueue("t.job");
  await clock.advance("1s");
  await broker.signals.send({ ...JOB, name: "approval" }, writeSignal("fine", "s1"));
  await clock.advance("5s");
  says.verdict = "yes";
  await clock.advance("3h");
  expect(await last()).toMatchObject({ state: "succeeded", output: ["fine", null] });
});

test("so does what a schema throws of a result that is on record", async () => {
  const says: Parameters<typeof judge>[0] = { verdict: "yes" };
  const { enqueue, clock, did, last } = await stepsScene(async (step, done) => {
    const output = judge(says);
    const way = await step.run("look up", () => "left", { output }).catch(() => "right");
    await step.sleep("pause", "1h");
    await step.run("go", () => void done.push(String(way)));
  });
  await enqueue("t.job");
  await clock.advance("1m");
  says.verdict = "away";
  while ((await last())?.outcome !== "failed") await clock.advance("5s");
  expect(await last()).toMatchObject({ state: "requeued", error: { message: AWAY.message } });
  says.verdict = "yes";
  await clock.advance("1h");
  expect(did).toEqual(["left"]);
  expect(await last()).toMatchObject({ state: "succeeded", attempts: 2 });
});

test("a signal that one run passed over is taken in the next, whose schema takes it", async () => {
  const says: Parameters<typeof judge>[0] = { verdict: "no" };
  const { enqueue, clock, broker, last, history } = await stepsScene((step) =>
    step.waitFor("approval", { schema: judge(says) }),
  );
  const signal = (value: string, id: string): Promise<void> =>
    broker.signals.send({ ...JOB, name: "approval" }, writeSignal(value, id));
  await enqueue("t.job");
  await clock.advance("1s");
  await signal("first", "s1");
  await clock.advance("1h");
  expect((await history()).map(({ outcome }) => outcome)).toEqual(["snoozed", "snoozed"]);
  says.verdict = "yes";
  await signal("second", "s2");
  await clock.advance("1h");
  expect(await last()).toMatchObject({ state: "succeeded", output: "first" });
});
