import { expect, test } from "vitest";
import { assign, setup } from "xstate";
import { defineMachine } from "./define-machine.ts";
import { notPlain, notSendable } from "./plain-value.ts";
import { startMachine, stepMachine } from "./step-machine.ts";

const found = "ada@example".match(/(?<who>\w+)@/);

test("a list with a field of its own is refused wherever it stands: JSON would drop that", () => {
  expect(notPlain(found, "context")).toContain('context is a list with a field of its own, "');
  expect(notPlain({ all: [[found]] }, "the result")).toContain("the result.all[0][0] is a list");
  expect(notPlain(Object.assign([], { who: "ada" }), "input")).toContain('"who"');
  expect(notPlain([...(found ?? [])], "context")).toBeUndefined();
});

test("a whole number that may have been another is not sent, and may be kept", () => {
  const stamp = { at: [1_764_400_000_000_000_000] };
  expect(notSendable(stamp, "event")).toBe(
    "event.at[0] is a whole number beyond 2^53, which would be altered; send it as a string",
  );
  expect(notPlain(stamp, "context")).toBeUndefined();
  expect(notSendable({ at: [Number.MAX_SAFE_INTEGER, 1e21, 0.1] }, "event")).toBeUndefined();
});

test.each<[string, unknown, unknown]>([
  ["an entry that is undefined", [1, undefined], [1, null]],
  // oxlint-disable-next-line no-sparse-arrays
  ["a hole", [, 1], [null, 1]],
  ["a field that is undefined", { a: undefined }, {}],
])("%s is taken, and is as JSON has it", (_what, value, read) => {
  expect(notPlain(value, "context")).toBeUndefined();
  expect(JSON.parse(JSON.stringify(value))).toEqual(read);
});

test("an event that would put what match() gives into a context fails, and changes nothing", () => {
  const chart = setup({
    types: { context: {} as { found: unknown }, events: {} as { type: "GO"; text: string } },
  }).createMachine({
    context: { found: null },
    on: { GO: { actions: assign({ found: ({ event }) => event.text.match(/(?<who>\w+)@/) }) } },
  });
  const definition = defineMachine({ name: "m", machine: chart });
  const at = { sequence: 1, place: "in/1" };
  const first = startMachine(definition, {
    machine: "m",
    id: "1",
    input: undefined,
    now: 1,
    ...at,
  });
  const event = { type: "GO", text: "ada@example" };
  const go = { kind: "event", event, eventId: undefined, sequence: 2, place: "in/2" } as const;
  expect(stepMachine(definition, first, go, 2)).toMatchObject({
    context: { found: null },
    trouble: { error: { type: "unserializable-payload" } },
  });
});
