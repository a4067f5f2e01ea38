import { defineJob, readEntry, type Steps, writeSignal } from "@millrace/core";
import { expect, test } from "vitest";
import { latch, QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";

const child = defineJob<null, null, string>({ name: "t.child", queue: "children" });
const parent = defineJob({
  name: "t.parent",
  queue: QUEUE,
  steps: true,
  retry: { attempts: 3, backoff: "fixed", base: "4m", jitter: false },
});

/** A job whose first attempt fails while something else of it waits. */
async function scene(waits: (step: Steps) => Promise<unknown>) {
  const beganAt: number[] = [];
  const childEnds = latch<string>();
  const made = await simulatedNode({
    jobs: [
      child.handler(() => childEnds.promise),
      parent.handler(async ({ attempt, step }) => {
        beganAt.push(made.clock.now() - startedAt);
        const [answer] = await Promise.all([
          waits(step),
          step.run("work", () => {
            if (attempt === 1) throw new Error("the bank is away");
          }),
        ]);
        return answer;
      }),
    ],
  });
  const startedAt = made.clock.now();
  const last = async () => (await made.history()).at(-1);
  const kinds = async (): Promise<readonly unknown[]> =>
    (await made.broker.journal.read({ queue: QUEUE, id: "a", createdAt: startedAt })).map(
      ({ data }) => readEntry(data)?.kind,
    );
  return { ...made, beganAt, last, kinds, childEnds };
}

const PAUSE_MS = 240_000;

test("a signal does not cut short the pause before a retry", async () => {
  const { enqueue, clock, broker, beganAt, last, kinds } = await scene((step) =>
    step.waitFor("approval"),
  );
  await enqueue("t.parent");
  await clock.advance("1m");
  expect(await last()).toMatchObject({ state: "requeued", outcome: "failed" });
  expect(await kinds()).toContain("wait");
  await broker.signals.send({ queue: QUEUE, id: "a", name: "approval" }, writeSignal("yes", "s"));
  await clock.advance("10m");
  expect(await last()).toMatchObject({ state: "succeeded", output: "yes" });
  expect(beganAt.at(-1)).toBeGreaterThanOrEqual(PAUSE_MS);
});

test("the end of a called job does not cut short the pause before a retry", async () => {
  const { enqueue, clock, beganAt, last, kinds, childEnds } = await scene((step) =>
    step.call(child, null),
  );
  await enqueue("t.parent");
  await clock.advance("1m");
  expect(await last()).toMatchObject({ state: "requeued", outcome: "failed" });
  childEnds.open("came");
  await clock.advance("2m");
  expect(await kinds()).toContain("child");
  await clock.advance("10m");
  expect(await last()).toMatchObject({ state: "succeeded", output: "came" });
  expect(beganAt.at(-1)).toBeGreaterThanOrEqual(PAUSE_MS);
});
