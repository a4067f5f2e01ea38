import { expect, test } from "vitest";
import { raise, setup } from "xstate";
import { defineMachine } from "./define-machine.ts";
import type { MachineDocument } from "./machine-document.ts";
import { startMachine, stepMachine } from "./step-machine.ts";

/** A machine that raises an event when it is sent one, and what became of it. */
function raising(at: unknown): { first: MachineDocument; go: MachineDocument | undefined } {
  const chart = setup({
    types: { input: {} as { to: string }, events: {} as { type: "GO" | "NOTED"; at?: unknown } },
    actions: { begin: () => {}, note: () => {} },
  }).createMachine({
    initial: "open",
    entry: "begin",
    states: {
      open: {
        on: {
          GO: { actions: [raise(() => ({ type: "NOTED" as const, at })), "note"] },
          NOTED: { target: "over", actions: "note" },
        },
      },
      over: {},
    },
  });
  const definition = defineMachine({ name: "log", machine: chart });
  const first = startMachine(definition, {
    ...{ machine: "log", id: "1", input: { to: "ada" }, sequence: 1, place: "in/1", now: 0 },
  });
  const event = { kind: "event", event: { type: "GO" }, eventId: "e", sequence: 2 } as const;
  return { first, go: stepMachine(definition, first, { ...event, place: "in/2" }, 0) };
}

test("an action of a chart's own sees the event that it is taken for, also where another raised it", () => {
  const { first, go } = raising("noon");
  expect(first.pending).toEqual([{ do: "act", action: "begin", event: { type: "xstate.init" } }]);
  expect(go?.pending).toEqual([
    { do: "act", action: "note", event: { type: "GO" } },
    { do: "act", action: "note", event: { type: "NOTED", at: "noon" } },
  ]);
});

test("a raised event that an action takes holds plain data, or the event that raised it fails", () => {
  const { go } = raising(new Date(0));
  expect(go?.pending).toEqual([]);
  expect(go?.trouble?.error).toMatchObject({
    type: "unserializable-payload",
    message: expect.stringContaining("the event's at is a Date") as string,
  });
});
