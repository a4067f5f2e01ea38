import { defineMachine } from "@millrace/core";
import { expect, test } from "vitest";
import { assign, setup } from "xstate";
import { createTestRuntime } from "./index.ts";

interface Line {
  readonly sku: string;
}

const printed: number[] = [];

/** A cart whose actions take away what they are given, as a printer does that works off a list. */
const chart = setup({
  types: {
    context: {} as { lines: Line[]; count: number },
    events: {} as { type: "ADD"; more: Line[] } | { type: "COUNT" },
  },
  actions: {
    print: ({ context: { lines } }) => void printed.push(lines.splice(0).length),
    printThese: (_of, { these }: { these: Line[] }) => void these.splice(0),
    printMore: ({ event }) => void (event.type === "ADD" && event.more.splice(0)),
    count: assign({ count: ({ context }) => context.lines.length }),
    add: assign({
      lines: ({ context, event }) => (event.type === "ADD" ? event.more : context.lines),
    }),
  },
}).createMachine({
  context: { lines: [], count: -1 },
  on: {
    ADD: {
      actions: [
        "add",
        { type: "printThese", params: ({ context }) => ({ these: context.lines }) },
        ...(["printMore", "print", "print"] as const),
      ],
    },
    COUNT: { actions: "count" },
  },
});

test("what an action changes in its context, parameters or event is no change of its machine", async () => {
  const cart = defineMachine({ name: "cart", machine: chart });
  await using runtime = await createTestRuntime({ jobs: [], machines: [cart] });
  const machine = runtime.client.machine(cart, "1");
  await machine.start();
  await machine.send({ type: "ADD", more: [{ sku: "lamp" }, { sku: "bulb" }] });
  await runtime.drain();
  await machine.send({ type: "COUNT" });
  await runtime.drain();
  expect((await machine.snapshot()).context).toEqual({
    lines: [{ sku: "lamp" }, { sku: "bulb" }],
    count: 2,
  });
  expect(printed).toEqual([2, 2]);
});

test("a host that goes on with a machine decides by what is stored of it, as another one would", async () => {
  const asked = setup({
    types: { context: {} as { answers: unknown[] }, events: {} as { type: "ASK" | "LOOK" } },
    actions: { ask: assign({ answers: [1, undefined] }) },
  }).createMachine({
    ...{ context: { answers: [] }, initial: "open" },
    states: {
      open: {
        on: {
          ASK: { actions: "ask" },
          LOOK: [
            { guard: ({ context }) => context.answers[1] === null, target: "unanswered" },
            { target: "unknown" },
          ],
        },
      },
      ...{ unanswered: {}, unknown: {} },
    },
  });
  const survey = defineMachine({ name: "survey", machine: asked });
  await using runtime = await createTestRuntime({ jobs: [], machines: [survey] });
  const machine = runtime.client.machine(survey, "1");
  await machine.start();
  for (const type of ["ASK", "LOOK"] as const) await machine.send({ type });
  await runtime.drain();
  expect(await machine.snapshot()).toMatchObject({
    value: "unanswered",
    context: { answers: [1, null] },
  });
});
