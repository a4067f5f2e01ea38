import { expect, test } from "vitest";
import { setup } from "xstate";
import { checkStored } from "./check-stored.ts";
import { defineMachine, type MachineOptions } from "./define-machine.ts";
import { orderChart } from "./order-chart.fixture.ts";
import { startMachine } from "./step-machine.ts";

const order = defineMachine({ name: "order", machine: orderChart });
const ref = { machine: "order", id: "o-1", sequence: 1, place: "inbox/1", now: 1 };
const stored = startMachine(order, { ...ref, input: { cents: 5 } });

const newer = (more: Partial<MachineOptions<typeof orderChart>>) =>
  defineMachine({ name: "order", machine: orderChart, version: 2, ...more });
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
    "has no job for what is waited for",
    defineMachine({ name: "order", machine: without }),
    /the actor charge/,
  ],
])("a definition that %s is told apart", (_what, definition, message) => {
  expect(checkStored(definition, stored).error?.message).toMatch(message);
});
