import {
  cancel,
  defineJob,
  fatal,
  MAX_JOURNAL_BYTES,
  MAX_STEP_BYTES,
  type RunRef,
  StepError,
  type Steps,
} from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";

const child = defineJob<{ n: number }, { n: number }, number>({
  name: "t.child",
  queue: QUEUE,
  retry: { attempts: 2, backoff: "fixed", base: "10s", jitter: false },
});
const parent = defineJob({
  name: "t.parent",
  queue: QUEUE,
  steps: true,
  retry: { attempts: 2, backoff: "fixed", base: "10s", jitter: false },
});

/** A node with a parent of this handler and a child that does what its input says. */
async function scene(
  handle: (step: Steps) => unknown,
  handleChild: (n: number) => number | ReturnType<typeof fatal> = (n) => n * 2,
  slots = 1,
) {
  const ran: number[] = [];
  const made = await simulatedNode({
    jobs: [
      parent.handler(async ({ step }) => handle(step)),
      child.handler(({ input }) => {
        ran.push(input.n);
        return handleChild(input.n);
      }),
    ],
    slots,
  });
  const run: RunRef = { queue: QUEUE, id: "a", createdAt: made.clock.now() };
  const last = async () => (await made.history()).filter(({ id }) => id === "a").at(-1);
  return { ...made, ran, run, last };
}

/** What a failed call throws, as plain data. */
async function caught(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    return StepError.is(error) ? [error.step, error.type] : String(error);
  }
}

test("called jobs run side by side in one slot, which their parent doesn't hold", async () => {
  const { enqueue, clock, ran, last, broker, run } = await scene((step) =>
    Promise.all([step.call(child, { n: 1 }), step.call(child, { n: 2 }, { name: "other" })]),
  );
  await enqueue("t.parent");
  await clock.advance("1m");
  expect(ran.toSorted()).toEqual([1, 2]);
  expect(await last()).toMatchObject({ state: "succeeded", attempts: 1, output: [2, 4] });
  expect(await broker.journal.read(run)).toEqual([]);
});

test("of two calls the one whose job has ended first has won, though it was asked for last", async () => {
  const won: number[] = [];
  let fails = 1;
  const { enqueue, clock, ran, last } = await scene(
    async (step) => {
      const winner = await Promise.race([
        step.call(child, { n: 1 }),
        step.call(child, { n: 2 }, { name: "other" }),
      ]);
      await step.run("told", () => won.push(winner));
      await step.sleep("an hour", "1h");
      return winner;
    },
    (n) => {
      if (n === 1 && fails-- > 0) throw new Error("not yet");
      return n * 2;
    },
  );
  await enqueue("t.parent");
  await clock.advance("2h");
  expect(ran).toEqual([1, 2, 1]);
  expect(won).toEqual([4]);
  expect(await last()).toMatchObject({ state: "succeeded", attempts: 1, output: 4 });
});

test("a child that fails and is tried again is waited for; its job is called once", async () => {
  let fails = 1;
  const { enqueue, clock, ran, last } = await scene(
    async (step) => [await step.call(child, { n: 1 }), await step.call(child, { n: 5 })],
    (n) => {
      if (fails-- > 0) throw new Error("not yet");
      return n * 2;
    },
  );
  await enqueue("t.parent");
  await clock.advance("1m");
  expect(ran).toEqual([1, 1, 5]);
  expect(await last()).toMatchObject({ state: "succeeded", output: [2, 10] });
});

test("each end of a child is told: dead with its error, fatal, cancelled", async () => {
  const { enqueue, clock, last } = await scene(
    async (step) => [
      await caught(step.call(child, { n: 1 }, { name: "dead" })),
      await caught(step.call(child, { n: 2 }, { name: "fatal" })),
      await caught(step.call(child, { n: 3 }, { name: "cancelled" })),
    ],
    (n) => {
      if (n === 1) throw new RangeError("too far");
      return n === 2 ? fatal("no use") : cancel("not wanted");
    },
  );
  await enqueue("t.parent");
  await clock.advance("2m");
  expect(await last()).toMatchObject({
    state: "succeeded",
    output: [
      ["dead", "RangeError"],
      ["fatal", "fatal"],
      ["cancelled", "cancelled"],
    ],
  });
});

test("a child that doesn't end in time is given up, and its end is written nowhere", async () => {
  let fails = 1;
  const { enqueue, clock, last, broker, run, ran } = await scene(
    (step) => caught(step.call(child, { n: 1 }, { timeout: "5s" })),
    (n) => {
      if (fails-- > 0) throw new Error("later");
      return n;
    },
  );
  await enqueue("t.parent");
  await clock.advance("1m");
  expect(await last()).toMatchObject({ output: ["t.child", "timed-out"] });
  expect(ran).toEqual([1, 1]);
  expect(await broker.journal.read(run)).toEqual([]);
});

test("a result that no journal takes is an error of the call", async () => {
  const { enqueue, clock, last } = await scene(
    (step) => caught(step.call(child, { n: 1 })),
    () => "x".repeat(300_000) as never,
  );
  await enqueue("t.parent");
  await clock.advance("1m");
  expect(await last()).toMatchObject({ output: ["t.child", "step-too-large"] });
});

test("results that a run has no room for are errors of their calls, and the run goes on", async () => {
  const slots = 4;
  const { enqueue, clock, last, broker, run } = await scene(
    async (step) => {
      const calls = Array.from({ length: 40 }, (_, n) => caught(step.call(child, { n })));
      const told = (await Promise.all(calls)).map((one) =>
        typeof one === "string" ? one.length : (one as string[])[1],
      );
      return told.toSorted();
    },
    () => "x".repeat(200 * 1024) as never,
    slots,
  );
  const read = broker.journal.read.bind(broker.journal);
  const write = broker.journal.write.bind(broker.journal);
  let most = 0;
  broker.journal.write = async (...asked) => {
    const stored = await write(...asked);
    const bytes = (await read(run)).reduce((sum, { data }) => sum + data.length, 0);
    most = Math.max(most, bytes);
    return stored;
  };
  await enqueue("t.parent");
  await clock.advance("5m");
  expect(most).toBeLessThanOrEqual(MAX_JOURNAL_BYTES + slots * MAX_STEP_BYTES);
  const { state, attempts, output } = (await last()) ?? {};
  expect({ state, attempts }).toEqual({ state: "succeeded", attempts: 1 });
  const refused = (output as unknown[]).filter((one) => one === "step-too-large").length;
  expect(refused).toBeGreaterThanOrEqual(40 - 20 - slots);
  expect(output).toEqual([
    ...Array.from({ length: 40 - refused }, () => 200 * 1024),
    ...Array.from({ length: refused }, () => "step-too-large"),
  ]);
});

test("an attempt that fails after a call doesn't call again", async () => {
  let fails = 1;
  const { enqueue, clock, last, ran } = await scene(async (step) => {
    const result = await step.call(child, { n: 4 });
    if (fails-- > 0) throw new Error("after the call");
    return result;
  });
  await enqueue("t.parent");
  await clock.advance("1m");
  expect(ran).toEqual([4]);
  expect(await last()).toMatchObject({ state: "succeeded", attempts: 2, output: 8 });
});

test("a child that ends while its parent is being put aside wakes it all the same", async () => {
  const ended = Promise.withResolvers<void>();
  const { enqueue, clock, last, broker } = await scene(
    (step) => step.call(child, { n: 1 }),
    undefined,
    2,
  );
  const settle = broker.settle.bind(broker);
  broker.settle = async (delivery, steps) => {
    const requeue = steps.find((step) => step.do === "requeue");
    if (requeue?.envelope.id === "a") await ended.promise;
    await settle(delivery, steps);
    // The child's, after its hooks: nobody waits for anything yet.
    if (steps.length === 1 && steps[0]?.do === "ack") ended.resolve();
  };
  await enqueue("t.parent");
  await clock.advance("5s");
  expect(await last()).toMatchObject({ state: "succeeded", output: 2 });
});
