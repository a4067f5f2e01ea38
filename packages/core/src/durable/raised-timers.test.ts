import { expect, test } from "vitest";
import { cancel, raise, sendTo, setup } from "xstate";
import { defineMachine } from "./define-machine.ts";
import { machineAddress } from "./machine-address.ts";
import type { MachineDocument } from "./machine-document.ts";
import { startMachine, stepMachine } from "./step-machine.ts";

type Machine = Parameters<typeof defineMachine>[0]["machine"];

const YEAR_MS = 365 * 24 * 3_600_000;

/** A machine that is started at 0, and what it takes at a time. */
function begun(machine: Machine) {
  const definition = defineMachine({ name: "m", machine, sendsTo: ["m"] });
  let document = startMachine(definition, {
    ...{ machine: "m", id: "a", input: undefined, sequence: 1, place: "inbox/1", now: 0 },
  });
  let sequence = 1;
  const step = (occurrence: object, now: number): MachineDocument => {
    sequence += 1;
    const at = { sequence, place: `inbox/${sequence}` };
    const next = stepMachine(definition, document, { ...at, ...occurrence } as never, now);
    return (document = next ?? document);
  };
  return {
    first: document,
    take: (type: string, now: number) =>
      step({ kind: "event", event: { type }, eventId: undefined }, now),
    tick: (now: number) => step({ kind: "tick", run: document.run, rev: document.rev }, now),
  };
}

test("two events that are raised with a delay in one transition both come", () => {
  const { take } = begun(
    setup({
      types: { events: {} as { type: "GO" } | { type: "REMIND" } | { type: "CHECK" } },
    }).createMachine({
      initial: "one",
      states: {
        one: {
          after: { 60_000: "late" },
          on: { GO: "two" },
          // The timer of the state is cancelled between the two.
          exit: raise({ type: "REMIND" }, { delay: 1_000 }),
        },
        two: { entry: raise({ type: "CHECK" }, { delay: 2_000 }) },
        late: {},
      },
    }) as Machine,
  );
  const raised = Object.values(take("GO", 10).timers);
  expect(raised.map(({ at, event }) => [at, event.type])).toEqual([
    [1_010, "REMIND"],
    [2_010, "CHECK"],
  ]);
});

test("of three events to itself, none takes the place of another, nor is cancelled by its own name", () => {
  const own = (type: string) => sendTo(machineAddress("m", "a"), { type });
  const { take } = begun(
    setup({}).createMachine({
      on: { GO: { actions: [own("A"), own("B"), cancel("own:2:1"), own("C")] } },
    }) as Machine,
  );
  const sent = Object.values(take("GO", 10).timers).map(({ event }) => event.type);
  expect(sent).toEqual(["A", "B", "C"]);
});

test.each([Number.POSITIVE_INFINITY, Number.NaN])(
  "an event that sets a delay of %s fails",
  (ms) => {
    const { take } = begun(
      setup({ delays: { never: ms } }).createMachine({
        initial: "idle",
        states: {
          idle: { on: { GO: "waiting" } },
          waiting: { after: { never: "late" } },
          late: {},
        },
      }) as Machine,
    );
    const document = take("GO", 10);
    expect(document).toMatchObject({ value: "idle", timers: {}, pending: [] });
    expect(document.trouble).toMatchObject({
      event: "GO",
      error: {
        type: "machine-unsupported",
        message: expect.stringContaining(String(ms)) as string,
      },
    });
  },
);

test("a timer for a time that no date has is asked for by ticks of a year, and comes last", () => {
  const { first, tick, take } = begun(
    setup({ delays: { never: Number.MAX_SAFE_INTEGER } }).createMachine({
      initial: "waiting",
      states: { waiting: { after: { never: "late" }, on: { LEAVE: "gone" } }, late: {}, gone: {} },
    }) as Machine,
  );
  expect(first).toMatchObject({ tickAt: YEAR_MS, pending: [{ do: "tick", at: YEAR_MS }] });
  const later = tick(YEAR_MS);
  expect(later).toMatchObject({ value: "waiting", tickAt: 2 * YEAR_MS });
  expect(later.pending).toEqual([{ do: "tick", at: 2 * YEAR_MS }]);
  expect(take("LEAVE", YEAR_MS + 1)).toMatchObject({ value: "gone", timers: {} });
});

test("a document notes no more of an event's type than tells what it was", () => {
  const { take } = begun(setup({}).createMachine({}) as Machine);
  const taken = take(`long-${"x".repeat(100_000)}`, 10).trail.at(-1);
  expect(taken?.event).toMatch(/^long-x{122}…$/);
  const refused = take(`xstate.${"x".repeat(100_000)}`, 20).trouble;
  expect(refused?.event).toMatch(/^xstate\.x{120}…$/);
});
