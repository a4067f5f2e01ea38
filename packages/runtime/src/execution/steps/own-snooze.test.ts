import { defineJob, type JobRef, snooze, type Steps, writeSignal } from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";
import { defineStepsJob } from "../../fixtures/steps-scene.ts";

const JOB: JobRef = { queue: QUEUE, id: "a" };

/** The job waits for a signal and for another job, then asks to be put off once both are there. */
const WAYS: readonly (readonly [how: string, putOff: (step: Steps) => unknown])[] = [
  ["the handler", () => Promise.reject(snooze("10m"))],
  ["a step", (step) => step.run("open?", () => Promise.reject(snooze("10m")))],
  [
    "a step, caught",
    (step) => step.run("open?", () => Promise.reject(snooze("10m"))).catch(() => {}),
  ],
];

test.each(WAYS)(
  "snooze() of %s holds, whatever has come for steps that wait",
  async (_how, putOff) => {
    let isClosed = false;
    let runs = 0;
    const child = defineJob<null>({ name: "t.child", queue: QUEUE });
    const { enqueue, clock, broker, history } = await simulatedNode({
      slots: 1,
      jobs: [
        child.handler(() => "child"),
        defineStepsJob().handler(async ({ step }) => {
          runs += 1;
          if (isClosed) await putOff(step);
          return Promise.all([step.waitFor("approval"), step.call(child, null)]);
        }),
      ],
    });
    const ends = async (): Promise<unknown[]> =>
      (await history()).filter(({ id }) => id === "a").map(({ outcome }) => outcome);
    await enqueue("t.job");
    await clock.advance("1s");
    const before = runs;
    isClosed = true;
    await broker.signals.send({ ...JOB, name: "approval" }, writeSignal("fine", "s1"));
    await clock.advance("5m");
    // Once for each thing that comes.
    expect(runs - before).toBeLessThanOrEqual(2);
    const put = runs;
    await clock.advance("4m");
    expect(runs).toBe(put);
    isClosed = false;
    await clock.advance("10m");
    expect(runs).toBe(put + 1);
    expect((await ends()).at(-1)).toBe("succeeded");
  },
);
