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

test("a handler that catches what a schema throws may wait for the name in another step", async () => {
  const schema = judge({ verdict: "away" });
  const { enqueue, clock, broker, last } = await stepsScene(async (step) => {
    try {
      return await step.waitFor("approval", { schema });
    } catch (error) {
      return [(error as Error).message, await step.waitFor("approval")];
    }
  });
  await enqueue("t.job");
  await clock.advance("1s");
  await broker.signals.send({ ...JOB, name: "approval" }, writeSignal("fine", "s1"));
  await clock.advance("1h");
  expect(await last()).toMatchObject({ state: "succeeded", output: [AWAY.message, "fine"] });
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
