import { beforeEach, describe, expect, test } from "vitest";
import { assign, cancel, fromPromise, raise, setup } from "xstate";
import { defineMachine, type MachineDefinition } from "./define-machine.ts";
import type { MachineDocument } from "./machine-document.ts";
import { machineSnapshot } from "./machine-snapshot.ts";
import { type Occurrence, refuseStep, startMachine, stepMachine } from "./step-machine.ts";

const T0 = 1_700_000_000_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let isBroken = true;
beforeEach(() => {
  isBroken = true;
});

/** What a later deployment mends. */
function mended<T>(value: T): T {
  if (isBroken) throw new TypeError("Cannot read properties of undefined");
  return value;
}

const chart = setup({
  types: { context: {} as { paid: unknown } },
  actors: { charge: fromPromise(async () => ({ receipt: "r-5" })) },
}).createMachine({
  context: { paid: null },
  initial: "charging",
  states: {
    charging: {
      invoke: {
        ...{ id: "payment", src: "charge" },
        onDone: {
          target: "waiting",
          actions: assign({ paid: ({ event }) => mended(event.output) }),
        },
      },
      on: { CANCEL: "cancelled", AGAIN: { target: "charging", reenter: true } },
    },
    waiting: {
      after: { [HOUR]: { guard: () => mended(true), target: "lost" } },
      on: { PAUSE: "cancelled" },
    },
    cancelled: {},
    lost: {},
  },
});
const definition = defineMachine({ name: "order", machine: chart });

/** Its timers have ids that could be the host's own. */
const naming = setup({
  types: { events: {} as { type: "PING" | "PONG" | "QUIET" | "AGAIN" | "HUSH" } },
  actors: { charge: fromPromise(async () => undefined) },
  guards: { whole: () => mended(true) },
}).createMachine({
  initial: "charging",
  states: {
    charging: {
      entry: [
        raise({ type: "PING" }, { id: "ended:payment", delay: HOUR }),
        raise({ type: "PONG" }, { id: "own:1:1", delay: 2 * HOUR }),
      ],
      invoke: { id: "payment", src: "charge", onDone: { guard: "whole", target: "paid" } },
      on: {
        QUIET: { actions: cancel("ended:payment") },
        AGAIN: { actions: raise({ type: "PING" }, { id: "ended:payment", delay: 3 * HOUR }) },
        HUSH: {
          actions: [cancel("own:week"), cancel("raised:1"), cancel("id:x"), cancel("id:own:1:1")],
        },
        PING: "pinged",
        PONG: { guard: "whole", target: "ponged" },
      },
    },
    paid: {},
    pinged: {},
    ponged: {},
  },
});

/** A machine in hand: what it is given is stored as the server would, as JSON. */
class InHand {
  document: MachineDocument;
  readonly job: string;
  readonly #definition: MachineDefinition;
  #sequence = 10;

  constructor(of: MachineDefinition = definition) {
    this.#definition = of;
    this.document = stored(
      startMachine(of, {
        ...{ machine: "order", id: "o", input: undefined, sequence: 10, place: "in/10", now: T0 },
      }),
    );
    this.job = this.document.children["payment"]?.job ?? expect.unreachable();
  }

  take(given: object, now: number): MachineDocument | undefined {
    this.#sequence += 1;
    const sequence = this.#sequence;
    const occurrence = { ...given, sequence, place: `in/${sequence}` } as Occurrence;
    const next = stepMachine(this.#definition, this.document, occurrence, now);
    if (next !== undefined) this.document = stored(next);
    return next;
  }

  end(now = T0) {
    return this.take({ kind: "end", end: { job: this.job, output: { receipt: "r-5" } } }, now);
  }

  tick(now: number) {
    const { run, tickRev: rev } = this.document;
    return this.take({ kind: "tick", run, rev }, now);
  }

  send(type: string, now = T0) {
    return this.take({ kind: "event", event: { type }, eventId: undefined }, now);
  }
}

function stored(document: MachineDocument): MachineDocument {
  return JSON.parse(JSON.stringify(document)) as MachineDocument;
}

test("a job's end that the chart can't take is tried again, and taken once the code is mended", () => {
  const machine = new InHand();
  expect(machine.end()).toMatchObject({
    ...{ value: "charging", tickAt: T0 + MINUTE, pending: [{ do: "tick", at: T0 + MINUTE }] },
    trouble: { event: "xstate.done.actor.payment", error: { type: "TypeError" } },
  });
  // Its message may come once more.
  expect(machine.end()).toBeUndefined();
  const shown = machineSnapshot(machine.document);
  expect(shown).toMatchObject({ jobs: {}, timers: [{ at: T0 + MINUTE, failed: 1 }] });
  machine.tick(T0 + MINUTE);
  expect(machine.document).toMatchObject({ value: "charging", tickAt: T0 + 3 * MINUTE });
  isBroken = false;
  machine.tick(T0 + 3 * MINUTE);
  expect(machine.document).toMatchObject({
    ...{ value: "waiting", context: { paid: { receipt: "r-5" } }, children: {} },
    timers: { [`xstate.after.${HOUR}.(machine).waiting`]: { at: T0 + 3 * MINUTE + HOUR } },
  });
});

test("a timer that fails is tried again, at least once an hour, and fires once the code is mended", () => {
  const machine = new InHand();
  isBroken = false;
  machine.end();
  isBroken = true;
  const at = [];
  for (let next = T0 + HOUR; at.length < 9; next = machine.document.tickAt ?? 0) {
    machine.tick(next);
    at.push((machine.document.tickAt ?? 0) - next);
  }
  expect(at.map((ms) => ms / MINUTE)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  isBroken = false;
  machine.tick(machine.document.tickAt ?? 0);
  expect(machine.document).toMatchObject({ value: "lost", timers: {} });
});

test("what failed is not tried again once its state is left", () => {
  const machine = new InHand();
  machine.end();
  machine.send("CANCEL");
  expect(machine.document).toMatchObject({ value: "cancelled", timers: {}, children: {} });
  const other = new InHand();
  other.end();
  other.send("AGAIN");
  expect(other.document).toMatchObject({ value: "charging", timers: {} });
  expect(other.document.children["payment"]?.job).not.toBe(other.job);
});

test("what can't be stored with a timer or an end is stored without it", () => {
  const { document, job } = new InHand();
  const end = { job, output: "large" };
  const ended = { kind: "end", end, sequence: 11, place: "in/11" } as const;
  const [kept, over] = refuseStep(document, ended, new Error("too large"), T0);
  expect(kept.timers).toMatchObject({ "ended:payment": { event: { output: "large" } } });
  expect(over).toMatchObject({
    ...{ children: {}, timers: {}, value: "charging" },
    trouble: { error: { message: "too large" } },
  });
});

test("a chart's own timers are told from the host's, however they are called", () => {
  const named = defineMachine({ name: "order", machine: naming });
  const machine = new InHand(named);
  expect(machineSnapshot(machine.document).jobs).toHaveProperty("payment");
  // Its end fails, and both stand beside each other.
  machine.end();
  expect(machineSnapshot(machine.document)).toMatchObject({
    ...{ jobs: {}, timers: [{ failed: 1, endOf: "payment" }, { at: T0 + HOUR }, {}] },
  });
  machine.send("QUIET");
  expect(machineSnapshot(machine.document).timers).toMatchObject([{ endOf: "payment" }, {}]);
  // One that fails is not lost with it, as an event to itself would be.
  const other = new InHand(named);
  other.send("QUIET");
  other.tick(T0 + 2 * HOUR);
  expect(other.document).toMatchObject({ value: "charging", tickAt: T0 + 2 * HOUR + MINUTE });
  isBroken = false;
  other.tick(T0 + 2 * HOUR + MINUTE);
  expect(other.document).toMatchObject({ value: "ponged" });
  const last = new InHand(named);
  last.end();
  expect(last.document).toMatchObject({ value: "paid" });
});

test("a timer that an earlier version wrote under such an id is no failed end", () => {
  const machine = new InHand(defineMachine({ name: "order", machine: naming }));
  const timers = { "ended:payment": { at: T0 + HOUR, event: { type: "PING" } } };
  machine.document = { ...machine.document, timers };
  expect(machineSnapshot(machine.document).jobs).toHaveProperty("payment");
  isBroken = false;
  machine.end();
  expect(machine.document).toMatchObject({ value: "paid" });
});

describe("timers that an earlier version wrote under the bare ids of the chart", () => {
  const timer = { at: T0 + HOUR, event: { type: "PING" } };
  function earlier(timers: MachineDocument["timers"]): InHand {
    const machine = new InHand(defineMachine({ name: "order", machine: naming }));
    machine.document = { ...machine.document, timers };
    return machine;
  }

  test("are cancelled by their ids", () => {
    const machine = earlier({ "ended:payment": timer, "id:ended:payment": timer });
    machine.send("QUIET");
    expect(machine.document).toMatchObject({ timers: {} });
  });

  test("give way to one that is raised anew under the id", () => {
    const machine = earlier({ "ended:payment": timer });
    machine.send("AGAIN");
    expect(Object.values(machine.document.timers)).toMatchObject([{ at: T0 + 3 * HOUR }]);
  });

  test("are told from the host's own, and from those of other ids", () => {
    const failed = { ...timer, failed: 1, endOf: "payment" };
    const kept = { "ended:payment": failed, "own:1:1": timer, "id:id:x": timer };
    const machine = earlier(kept);
    machine.send("QUIET");
    expect(machine.document.timers).toEqual(kept);
    const bare = { "own:week": timer, "raised:1": timer, "id:x": timer };
    const others = { "raised:1:1": timer, "id:own:1:1": timer };
    const other = earlier({ ...bare, ...others });
    other.send("HUSH");
    expect(other.document.timers).toEqual(others);
  });
});
