import {
  defineJob,
  type EnqueueResult,
  type ErrorCode,
  MillraceError,
  StepError,
  type Steps,
} from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";

const ship = defineJob<{ order: string }>({
  name: "t.ship",
  queue: "parcels",
  input: {
    "~standard": {
      ...{ version: 1, vendor: "test" },
      validate: (value: unknown) =>
        (value as { order: string }).order === ""
          ? { issues: [{ message: "no order" }] }
          : { value: value as { order: string } },
    },
  },
});
const order = defineJob({
  name: "t.order",
  queue: QUEUE,
  steps: true,
  retry: { attempts: 3, backoff: "fixed", base: "1m", jitter: false },
});

/** A job that calls another, whose queue does what `fate` says at each enqueue. */
async function scene(
  handle: (step: Steps, did: string[]) => unknown,
  fate: (time: number) => { readonly code: ErrorCode; readonly isStored?: true } | undefined,
) {
  const did: string[] = [];
  let tries = 0;
  const made = await simulatedNode({
    jobs: [
      ship.handler(({ input }) => {
        did.push(`shipped ${input.order}`);
      }),
      order.handler(async ({ step }) => handle(step, did)),
    ],
  });
  const { broker } = made;
  const enqueue = broker.enqueue.bind(broker);
  broker.enqueue = async (envelopes, call): Promise<readonly EnqueueResult[]> => {
    const [first] = envelopes;
    const found = first?.queue === ship.queue ? fate((tries += 1)) : undefined;
    if (first === undefined || found === undefined) return enqueue(envelopes, call);
    if (found.isStored === true) await enqueue(envelopes, call);
    const error = new MillraceError(found.code, "as the test wants it");
    return [{ ok: false, id: first.id, queue: first.queue, error }];
  };
  const last = async () => (await made.history()).at(-1);
  return { ...made, did, last, tries: () => tries };
}

/** Refunds what can't be shipped, and asks later how it went. */
const shipOrRefund =
  (input: string) =>
  async (step: Steps, did: string[]): Promise<string> => {
    try {
      await step.call(ship, { order: input });
      return "shipped";
    } catch (error) {
      const type = StepError.is(error) ? error.type : String(error);
      await step.run("refund", () => did.push("refunded"));
      await step.sleep("a while", "2h");
      return `refunded: ${type}`;
    }
  };

for (const code of ["queue-full", "queue-closed", "broker-unavailable"] as const)
  test(`a call that could not be enqueued for a moment (${code}) is not taken for one that failed`, async () => {
    const { enqueue, clock, did, last } = await scene(shipOrRefund("7"), (time) =>
      time <= 5 ? { code } : undefined,
    );
    await enqueue("t.order");
    await clock.advance("5m");
    expect(did).toEqual(["shipped 7"]);
    expect(await last()).toMatchObject({ state: "succeeded", attempts: 1, output: "shipped" });
  });

test("a call whose enqueue was not confirmed is made once, and its handler never told", async () => {
  const { enqueue, clock, did, last } = await scene(shipOrRefund("7"), (time) =>
    time === 1 ? { code: "publish-timeout", isStored: true } : undefined,
  );
  await enqueue("t.order");
  await clock.advance("5m");
  expect(did).toEqual(["shipped 7"]);
  expect(await last()).toMatchObject({ state: "succeeded", attempts: 1, output: "shipped" });
});

test("a job that waits for room in another's queue holds no slot, and asks ever more seldom", async () => {
  const { enqueue, clock, tries, last } = await scene(shipOrRefund("7"), () => ({
    code: "queue-full",
  }));
  await enqueue("t.order");
  await clock.advance("10s");
  expect(await last()).toMatchObject({ state: "requeued", outcome: "snoozed", attempts: 0 });
  await clock.advance("1h");
  expect(tries()).toBeGreaterThan(50);
  expect(tries()).toBeLessThan(80);
});

test("a call that finds no room until its time is over has timed out, and nothing is enqueued", async () => {
  const { enqueue, clock, did, last } = await scene(
    (step) =>
      step
        .call(ship, { order: "7" }, { timeout: "90s" })
        .catch((error: unknown) => (StepError.is(error) ? error.type : "not told")),
    () => ({ code: "queue-full" }),
  );
  await enqueue("t.order");
  await clock.advance("5m");
  expect(await last()).toMatchObject({ state: "succeeded", output: "timed-out", attempts: 1 });
  expect(did).toEqual([]);
});

test("a refusal that stands is on record before the handler goes another way", async () => {
  const { enqueue, clock, did, last } = await scene(shipOrRefund("7"), (time) =>
    time === 1 ? { code: "queue-not-found" } : undefined,
  );
  await enqueue("t.order");
  await clock.advance("3h");
  expect(did).toEqual(["refunded"]);
  expect(await last()).toMatchObject({
    ...{ state: "succeeded", output: "refunded: queue-not-found" },
  });
});

test("an input that a called job doesn't take fails the call as a step, on record", async () => {
  const { enqueue, clock, did, last } = await scene(shipOrRefund(""), () => undefined);
  await enqueue("t.order");
  await clock.advance("3h");
  expect(did).toEqual(["refunded"]);
  expect(await last()).toMatchObject({
    ...{ state: "succeeded", output: "refunded: invalid-payload" },
  });
});

test("a refusal that the handler throws on is tried anew by the next attempt", async () => {
  const { enqueue, clock, did, last } = await scene(
    (step) => step.call(ship, { order: "7" }),
    (time) => (time === 1 ? { code: "queue-not-found" } : undefined),
  );
  await enqueue("t.order");
  await clock.advance("5m");
  expect(did).toEqual(["shipped 7"]);
  expect(await last()).toMatchObject({ state: "succeeded", attempts: 2 });
});
