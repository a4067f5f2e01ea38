import { expect, test } from "vitest";
import { sendTo, setup } from "xstate";
import { defineMachine } from "./define-machine.ts";
import { machineAddress } from "./machine-address.ts";
import { startMachine, stepMachine } from "./step-machine.ts";

const chart = setup({
  types: { events: {} as { type: string; x?: unknown } },
  actions: {
    note: () => {},
    tell: sendTo(
      () => machineAddress("m", "b"),
      () => ({ type: "MANY", values: Array.from({ length: 120_000 }, () => 1) }),
    ),
    stamp: sendTo(
      ({ event }) => machineAddress("m", String(event.x)),
      () => ({ type: "STAMP", at: 1_764_400_000_000_000_000 }),
    ),
  },
}).createMachine({
  on: { GO: { actions: "note" }, LET: {}, TELL: { actions: "tell" }, STAMP: { actions: "stamp" } },
});
const machine = defineMachine({ name: "m", machine: chart, sendsTo: ["m"] });

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

function after(type: string, x?: unknown) {
  const place = { sequence: 1, place: "in/1" };
  const begun = startMachine(machine, { machine: "m", id: "a", input: null, ...place, now: 1 });
  const event = { type, x };
  const at = { sequence: 2, place: "in/2" };
  return stepMachine(machine, begun, { kind: "event", event, eventId: undefined, ...at }, 2);
}

test("an event that can't be stored fails where an own action is to have it", () => {
  expect(after("GO", nested(64))).toMatchObject({ pending: [{ do: "act" }] });
  for (const x of [nested(65), nested(100_000), new Map()])
    expect(after("GO", x)).toMatchObject({
      pending: [],
      trouble: { event: "GO", error: { type: "unserializable-payload" } },
    });
});

test("and is taken where nothing is kept of it", () => {
  expect(after("LET", nested(100_000))?.trouble).toBeUndefined();
});

test("an event that its receiver would not read is not sent", () => {
  expect(after("TELL")).toMatchObject({
    pending: [],
    trouble: {
      error: {
        type: "payload-too-large",
        message: expect.stringContaining("100,000 values") as string,
      },
    },
  });
});

test("nor one with a number that its receiver would refuse; what a machine sends itself is not read", () => {
  expect(after("STAMP", "b")).toMatchObject({
    pending: [],
    trouble: {
      error: {
        type: "unserializable-payload",
        message: expect.stringContaining("machine m.at is a whole number beyond 2^53") as string,
      },
    },
  });
  const own = after("STAMP", "a");
  expect(own?.trouble).toBeUndefined();
  expect(Object.values(own?.timers ?? {})).toMatchObject([{ event: { type: "STAMP" } }]);
});
