import { expect, test } from "vitest";
import { type AnyStateMachine, fromPromise, setup } from "xstate";
import { checkStored } from "./check-stored.ts";
import { defineMachine, type MachineDefinition, type MachineOptions } from "./define-machine.ts";
import type { MachineDocument } from "./machine-document.ts";
import { orderChart } from "./order-chart.fixture.ts";
import { startMachine } from "./step-machine.ts";

const order = defineMachine({ name: "order", machine: orderChart });
const ref = { machine: "order", id: "o-1", sequence: 1, place: "inbox/1", now: 1 };
const stored = startMachine(order, { ...ref, input: { cents: 5 } });

const newer = (more: Partial<MachineOptions<typeof orderChart>>) =>
  defineMachine({ name: "order", machine: orderChart, version: 2, ...more });
/** What JSON can't hold for another reason. */
function ring(): object {
  const context: { self?: object } = {};
  return Object.assign(context, { self: context });
}
/** A chart that has the state, and not the actor. */
const without = setup({}).createMachine({ initial: "charging", states: { charging: {} } });

test("a stored machine goes on with its own definition, and with one that migrates it", () => {
  expect(checkStored(order, stored)).toEqual({ isMigrated: false });
  const migrates = newer({ migrate: ({ context }) => ({ value: "paused", context }) });
  expect(checkStored(migrates, stored)).toEqual({ isMigrated: true });
});

test.each<[string, Parameters<typeof checkStored>[0], RegExp]>([
  ["has another version and no migration", newer({}), /migrate function/],
  [
    "migrates to a state that there is not",
    newer({ migrate: ({ context }) => ({ value: "gone", context }) }),
    /gone/,
  ],
  [
    "throws in its migration",
    newer({
      migrate: () => {
        throw new Error("no way");
      },
    }),
    /no way/,
  ],
  [
    "migrates to a context that JSON can't hold",
    newer({ migrate: ({ value }) => ({ value, context: { cents: 5n } }) }),
    /context\.cents is a bigint/,
  ],
  [
    "migrates to a context that has itself in it",
    newer({ migrate: ({ value }) => ({ value, context: ring() }) }),
    /context(\.self)+ nests deeper/,
  ],
  [
    "migrates to a state that is no plain data",
    newer({ migrate: ({ context }) => ({ value: new Map() as never, context }) }),
    /value is a Map/,
  ],
  [
    "has no job for what is waited for",
    defineMachine({ name: "order", machine: without }),
    /the actor charge/,
  ],
])("a definition that %s is told apart", (_what, definition, message) => {
  expect(checkStored(definition, stored).error?.message).toMatch(message);
});

/** A chart of a machine that waits for a job or for a week, by what its state is called. */
const waitsIn = (state: string, isBroken = false) =>
  setup({
    actors: { charge: fromPromise(async () => 1) },
    delays: { week: 7 * 24 * 3_600_000 },
    guards: {
      open: () => {
        if (isBroken) throw new Error("the guard is broken");
        return true;
      },
    },
  }).createMachine({
    id: "claim",
    initial: state,
    states: {
      [state]: {
        invoke: { src: "charge", onDone: "over" },
        after: { week: { guard: "open", target: "over" } },
      },
      calm: { after: { week: "over" } },
      over: { type: "final" },
    },
  });

test.each<[string, MachineDefinition, Partial<MachineDocument>, RegExp]>([
  [
    "takes its timer in no state any more",
    defineMachine({ ...claim(waitsIn("asking")), version: 2, migrate: to("asking") }),
    { children: {} },
    /timer xstate\.after\.week\.claim\.waiting .* never leave/,
  ],
  [
    "hears of its job's end in no state any more",
    defineMachine({ ...claim(waitsIn("asking")), version: 2, migrate: to("asking") }),
    { timers: {} },
    /the actor 0\.claim\.waiting \(charge\)/,
  ],
  [
    "fails when its timer comes",
    defineMachine(claim(waitsIn("waiting", true))),
    {},
    /timer xstate\.after\.week\.claim\.waiting would fail: [^]*the guard is broken/,
  ],
])("what comes to a stored machine is tried: a chart that %s", (_what, newest, left, message) => {
  const before = startMachine(defineMachine(claim(waitsIn("waiting"))), { ...ref, input: {} });
  expect(checkStored(defineMachine(claim(waitsIn("waiting"))), before)).toEqual({
    isMigrated: false,
  });
  expect(checkStored(newest, { ...before, ...left }).error?.message).toMatch(message);
});

function claim<Chart extends AnyStateMachine>(machine: Chart) {
  return { name: "claim", machine };
}

function to(value: string) {
  return ({ context }: { readonly context: unknown }) => ({ value, context });
}
