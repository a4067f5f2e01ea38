import {
  defineJob,
  type JobDefinition,
  type RecordedRun,
  type Schema,
  snooze,
  type Steps,
  type StepsOptions,
} from "@millrace/core";
import type { ReplayedRun } from "@millrace/runtime";

import { expect, test } from "vitest";
import { replayRuns } from "./replay-runs.ts";
import { createTestRuntime } from "./test-runtime.ts";

const bill = defineJob<{ order: string }, { order: string }, string>({ name: "bill" });
const order = defineOrder();

function defineOrder(
  steps: StepsOptions | true = true,
): JobDefinition<{ sku: string }, { sku: string }> {
  return defineJob<{ sku: string }>({ name: "order", queue: "orders", steps, retry: "none" });
}

/** What is on record of one run of this handler, an hour after it began. */
async function recorded(
  handle: (step: Steps) => unknown,
  definition = order,
): Promise<readonly RecordedRun[]> {
  await using t = await createTestRuntime({
    jobs: [definition.handler(({ step }) => handle(step)), bill.handler(() => snooze("2d"))],
  });
  await t.enqueue(definition, { sku: "a" }, { id: "o-1" });
  await t.clock.advance("1h");
  const runs = await t.recordedRuns();
  // As it is kept in a file.
  return JSON.parse(JSON.stringify(runs)) as readonly RecordedRun[];
}

/** What becomes of it with another handler. */
async function replayed(
  runs: readonly RecordedRun[],
  handle: (step: Steps) => unknown,
  definition = order,
): Promise<ReplayedRun | undefined> {
  const [run] = await replayRuns([definition.handler(({ step }) => handle(step))], runs, {
    timeout: "2s",
  });
  return run;
}

const unrun = (): never => {
  throw new Error("A step was run.");
};
const charged = () =>
  recorded(async (step) => {
    await step.run("charge", () => ({ payment: "p-1" }));
    await step.sleep("rest", "2d");
  });

test("a run that sleeps goes on in its sleep, and nothing is run", async () => {
  const runs = await charged();
  const run = await replayed(runs, async (step) => {
    const { payment } = await step.run<{ payment: string }>("charge", unrun);
    await step.sleep("rest", "2d");
    await step.run(`ship ${payment}`, unrun);
  });
  expect(run).toEqual({
    job: { id: "o-1", queue: "orders", name: "order" },
    ...{ outcome: "goes-on", breaks: false, replayed: 1, notAsked: [] },
    at: [{ name: "rest", n: 0, kind: "sleep", state: "open" }],
  });
});

test("a run goes on at each new step that comes behind what is on record", async () => {
  const run = await replayed(await charged(), async (step) => {
    const { payment } = await step.run<{ payment: string }>("charge", unrun);
    await Promise.all([
      step.run(`ship ${payment}`, unrun),
      step.call(bill, { order: payment }),
      step.sleep("rest", "2d"),
    ]);
  });
  expect(run).toMatchObject({ outcome: "goes-on", breaks: false });
  expect(run?.at.map(({ name, state }) => `${name} ${state}`).toSorted()).toEqual([
    ...["bill new", "rest open", "ship p-1 new"],
  ]);
});

test("a step that has another name would be run again: it comes early", async () => {
  const run = await replayed(await charged(), async (step) => {
    await step.run("take the money", unrun);
    await step.sleep("rest", "2d");
  });
  expect(run).toMatchObject({
    ...{ outcome: "early", breaks: true, replayed: 0, notAsked: ["charge", "rest"] },
    at: [{ name: "take the money", state: "new" }],
  });
});

const refusing: Schema<unknown, string> = {
  "~standard": {
    ...{ version: 1, vendor: "test" },
    validate: () => ({ issues: [{ message: "is no text" }] }),
  },
};

test.each<[string, (step: Steps) => unknown, RegExp]>([
  ["has become another kind of step", (step) => step.sleep("charge", "1h"), /as step\.run/],
  ["is not asked for any more", () => "done", /without asking for .* "charge", "rest"/],
  [
    "does not satisfy the schema any more",
    (step) => step.run("charge", unrun, { output: refusing }),
    /is no text/,
  ],
])("a step that %s is a mismatch", async (_what, handle, message) => {
  const run = await replayed(await charged(), handle);
  expect(run).toMatchObject({ outcome: "mismatch", breaks: true });
  expect(run?.error).toMatchObject({ type: "journal-mismatch" });
  expect(run?.error?.message).toMatch(message);
});

test("a handler that throws between its steps is told with its error", async () => {
  const run = await replayed(await charged(), async (step) => {
    const { payment } = await step.run<{ payment: string }>("charge", unrun);
    throw new RangeError(`no ${payment}`);
  });
  expect(run).toMatchObject({ outcome: "throws", breaks: true, replayed: 1 });
  expect(run?.error).toMatchObject({ type: "RangeError", message: "no p-1" });
});

test("a handler that never comes to a step is unanswered", async () => {
  const run = await replayed(await charged(), () => new Promise(() => {}));
  expect(run).toMatchObject({ outcome: "unanswered", breaks: true, at: [] });
});

test("a wait and a call that are not over are open; a failure that was caught is given again", async () => {
  const handle = async (step: Steps): Promise<unknown> => {
    const failed = await step.run("reserve", unrun).catch((error: unknown) => String(error));
    await step.run("tell", () => failed);
    return Promise.all([step.waitFor("approval"), step.call(bill, { order: "o" })]);
  };
  const run = await replayed(await recorded(handle), handle);
  expect(run).toMatchObject({ outcome: "goes-on", replayed: 2, notAsked: [] });
  expect(run?.at.map(({ name, kind, state }) => `${name} ${kind} ${state}`).toSorted()).toEqual([
    ...["approval wait open", "bill call open"],
  ]);
});

test("what an older version began is left, or refused, as the definition says", async () => {
  const runs = await charged();
  const asks = (step: Steps): unknown => step.run("charge", unrun);
  const left = await replayed(runs, asks, defineOrder({ version: 2, olderRuns: "leave" }));
  expect(left).toMatchObject({ outcome: "left", breaks: false });
  const refused = await replayed(runs, asks, defineOrder({ version: 2, olderRuns: "reject" }));
  expect(refused).toMatchObject({ outcome: "mismatch", breaks: true });
  const begunWith: number[] = [];
  await replayed(
    runs,
    async (step) => {
      begunWith.push(await step.version());
    },
    defineOrder({ version: 2 }),
  );
  expect(begunWith).toEqual([1]);
});

test("what is no recorded run, or of another job, is refused", async () => {
  const runs = await charged();
  await expect(replayRuns([bill.handler(() => "")], runs)).rejects.toMatchObject({
    code: "no-jobs",
  });
  await expect(replayed([{ v: 1, job: runs[0]?.job } as never], unrun)).rejects.toMatchObject({
    code: "invalid-message",
  });
});
