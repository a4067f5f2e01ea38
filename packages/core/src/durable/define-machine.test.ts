import { expect, test } from "vitest";
import {
  type AnyStateMachine,
  assign,
  emit,
  fromCallback,
  fromObservable,
  fromPromise,
  fromTransition,
  sendParent,
  setup,
  spawnChild,
} from "xstate";
import { defineJob } from "../job/define-job.ts";
import { defineMachine, isMachine, type MachineOptions } from "./define-machine.ts";
import { orderChart } from "./order-chart.fixture.ts";

const plain = (config: object, implementations: object = {}) =>
  setup(implementations as never).createMachine({
    ...{ initial: "a", states: { a: {} } },
    ...config,
  } as never) as unknown as AnyStateMachine;
const promise = fromPromise(async () => 1);

test("a definition is what a node hosts", () => {
  const order = defineMachine({ name: "order", machine: orderChart });
  expect(isMachine(order)).toBe(true);
  expect(isMachine(orderChart)).toBe(false);
  expect(order.version).toBe(1);
});

test("a job stands for the actor it is named for, and the promise itself is not run", () => {
  const charge = defineJob<{ cents: number }>({ name: "pay", queue: "money" });
  const order = defineMachine({ name: "order", machine: orderChart, jobs: { charge } });
  expect(order.jobs).toEqual({ charge });
  expect(order.promiseJobs).toEqual([]);
});

test.each<[string, object, object, RegExp]>([
  ["a callback", {}, { actors: { c: fromCallback(() => {}) } }, /the actor c is no promise/],
  [
    "an observable",
    {},
    { actors: { o: fromObservable(() => ({ subscribe: () => ({ unsubscribe() {} }) })) } },
    /the actor o is no promise/,
  ],
  ["a transition", {}, { actors: { t: fromTransition((s: number) => s, 0) } }, /the actor t is no/],
  ["a machine as an actor", {}, { actors: { m: plain({}) } }, /the actor m is no promise/],
  ["an inline actor", { invoke: { src: promise } }, {}, /has its actor inline/],
  ["an unknown actor", { invoke: { src: "nobody" } }, {}, /asks for the actor nobody/],
  [
    "spawn in assign",
    { entry: assign(({ spawn }) => ({ child: spawn("p" as never) })) },
    { actors: { p: promise } },
    /spawns in assign/,
  ],
  [
    "spawn in assign, by field",
    { entry: assign({ child: ({ spawn }) => spawn("p" as never) }) },
    { actors: { p: promise } },
    /spawns in assign/,
  ],
  [
    "spawn in its context",
    { context: ({ spawn }: { spawn: (src: string) => unknown }) => ({ child: spawn("p") }) },
    { actors: { p: promise } },
    /its context spawns/,
  ],
  ["sendParent", { states: { a: { exit: sendParent({ type: "X" }) } } }, {}, /sends to another/],
  ["emit", { on: { X: { actions: emit({ type: "X" }) } } }, {}, /emits an event/],
  ["an inline action", { entry: () => {} }, {}, /has an action inline/],
  ["an unknown action", { entry: "nothing" }, {}, /names the action nothing/],
  [
    "a built-in action by name",
    { entry: "up" },
    { actions: { up: sendParent({ type: "X" }) } },
    /the action up sends to another/,
  ],
  [
    "a child without an id",
    { entry: spawnChild("p" as never) },
    { actors: { p: promise } },
    /without an id/,
  ],
])("%s is refused when the machine is defined", (_what, config, implementations, message) => {
  expect(() => defineMachine({ name: "m", machine: plain(config, implementations) })).toThrow(
    expect.objectContaining({
      code: "machine-unsupported",
      message: expect.stringMatching(message) as string,
    }),
  );
});

test.each<[string, Partial<MachineOptions<typeof orderChart>>, string]>([
  ["a name with a dot", { name: "a.b" }, "invalid-name"],
  ["a name that is too long", { name: "x".repeat(33) }, "invalid-name"],
  ["no machine", { machine: {} as never }, "invalid-option"],
  ["a version of 0", { version: 0 }, "invalid-option"],
  ["a job that is none", { jobs: { charge: {} as never } }, "invalid-option"],
  ["an unknown option", { migrat: 1 } as never, "invalid-option"],
])("%s is refused", (_what, options, code) => {
  expect(() => defineMachine({ name: "order", machine: orderChart, ...options })).toThrow(
    expect.objectContaining({ code }),
  );
});
