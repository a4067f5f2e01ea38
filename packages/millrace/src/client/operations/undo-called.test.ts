import { calledId, defineJob, defineMachine, StepError } from "@millrace/core";
import { expect, test } from "vitest";
import { type PromiseActorLogic, setup } from "xstate";
import { createTestRuntime } from "../../testing/test-runtime.ts";

const charge = defineJob<{ order: string }>({ name: "charge", queue: "charges" });
const order = defineJob({ name: "order", steps: true });
const chart = setup({
  actors: { charge: {} as PromiseActorLogic<unknown, unknown> },
}).createMachine({
  initial: "charging",
  states: {
    charging: {
      invoke: { src: "charge", input: { order: "8" }, onDone: "charged", onError: "refused" },
    },
    charged: {},
    refused: {},
  },
});
const machine = defineMachine({ name: "sale", machine: chart, jobs: { charge } });

/** Jobs of these waits are cancelled by an operation, which their callers hear of; it is undone. */
async function cancelled(callers: "a step and a machine" | "a producer") {
  const charged: string[] = [];
  const told: unknown[] = [];
  const t = await createTestRuntime({
    jobs: [
      charge.handler(({ input }) => void charged.push(input.order)),
      order.handler(({ step }) =>
        step
          .call(charge, { order: "7" })
          .catch((error: unknown) => void told.push(StepError.is(error) && error.type)),
      ),
    ],
    machines: [machine],
  });
  await t.client.queues.pause("charges");
  if (callers === "a producer") {
    const id = calledId({ createdAt: t.clock.now() }, "forged");
    await t.enqueue(charge, { order: "9" }, { id });
  } else {
    await t.enqueue(order, null, { id: "o" });
    await t.machine(machine, "s").start();
  }
  await t.clock.advance("5s");
  const { id } = await t.client.operations.start({
    ...{ kind: "jobs-cancel", filter: { queue: "charges" }, by: "ada" },
  });
  await t.client.operations.run(id);
  await t.client.queues.resume("charges");
  await t.clock.advance("1m");
  const undo = await t.client.operations.run((await t.client.operations.undo(id)).id);
  await t.clock.advance("1m");
  return { t, charged, told, undo };
}

test("a job whose caller was told that it is cancelled stays cancelled, and says so", async () => {
  const { t, charged, told, undo } = await cancelled("a step and a machine");
  await using _ = t;
  expect(told).toEqual(["cancelled"]);
  expect(await t.machine(machine, "s").snapshot()).toMatchObject({ value: "refused" });
  expect(undo).toMatchObject({ done: 0, failed: 2 });
  expect(undo.failures.map(({ code, message }) => [code, message]).toSorted()).toEqual([
    ["undo-impossible", expect.stringContaining("the job o of the queue ")],
    ["undo-impossible", expect.stringContaining("the machine sale s")],
  ]);
  expect(charged).toEqual([]);
});

test("a job to which a producer has given such an id has no caller: its cancel is undone", async () => {
  const { t, charged, undo } = await cancelled("a producer");
  await using _ = t;
  expect(undo).toMatchObject({ done: 1, failed: 0 });
  expect(charged).toEqual(["9"]);
});
