import { expect, test } from "vitest";
import { assign, sendTo, setup } from "xstate";
import { defineMachine } from "./define-machine.ts";
import { invokedBy } from "../ids/invoked-id.ts";
import { machineAddress } from "./machine-address.ts";
import type { MachineDocument } from "./machine-document.ts";
import { orderChart } from "./order-chart.fixture.ts";
import {
  lastResorts,
  type Occurrence,
  refuseStep,
  startMachine,
  stepMachine,
} from "./step-machine.ts";

const order = defineMachine({ name: "order", machine: orderChart });
const WEEK = 7 * 24 * 3_600_000;
const T0 = 1_700_000_000_000;

/** A machine in hand: what it is given is stored as the server would, as JSON. */
class InHand {
  document: MachineDocument;
  sequence = 10;

  constructor(definition = order) {
    this.document = stored(
      startMachine(definition, {
        ...{
          machine: "order",
          id: "o:1",
          input: { cents: 5 },
          sequence: 10,
          place: "in/10",
          now: T0,
        },
      }),
    );
  }

  take(occurrence: Omit<Occurrence, "sequence" | "place">, now = T0, definition = order) {
    this.sequence += 1;
    const place = `in/${this.sequence}`;
    const given = { ...occurrence, place, sequence: this.sequence } as Occurrence;
    const next = stepMachine(definition, this.document, given, now);
    if (next !== undefined) this.document = stored(next);
    return next;
  }

  /** The one that was asked for last. */
  tick(now: number, mark: { rev?: number; run?: string } = {}) {
    const { run, tickRev: rev } = this.document;
    return this.take({ kind: "tick", run, rev, ...mark } as never, now);
  }

  send(type: string, fields: object = {}, eventId?: string, now = T0) {
    return this.take({ kind: "event", event: { type, ...fields }, eventId } as never, now);
  }

  paid() {
    const end = { job: this.document.children["payment"]?.job ?? "", output: { receipt: "r-5" } };
    this.take({ kind: "end", end } as never);
    return this;
  }
}

function stored(document: MachineDocument): MachineDocument {
  return JSON.parse(JSON.stringify(document)) as MachineDocument;
}

test("a machine begins: its invoked promise is a job, and nothing is done yet", () => {
  const { document } = new InHand();
  const { job = "" } = document.children["payment"] ?? {};
  expect(invokedBy({ id: job })).toMatchObject({
    ...{ id: "o:1", number: 1 },
    run: expect.stringMatching(/^[\w-]{11}$/),
  });
  expect(document).toMatchObject({
    ...{ status: "active", value: "charging", rev: 1, cursor: 10, cause: "in/10", timers: {} },
    children: { payment: { job, queue: "machines", src: "charge" } },
    pending: [{ do: "enqueue", actor: "payment", src: "charge", job, input: { cents: 5 } }],
  });
  expect(order.promiseJobs.map(({ name }) => name)).toEqual(["order.charge"]);
});

test("its job's end is an event of its actor, once; its timers are kept, and one tick asked for", () => {
  const machine = new InHand();
  const { job } = machine.document.children["payment"] ?? { job: "" };
  machine.paid();
  expect(machine.document).toMatchObject({
    ...{ value: { waiting: "quiet" }, context: { paid: "r-5" }, children: {}, cursor: 10 },
    timers: { nudge: { at: T0 + 60_000 }, "xstate.after.week.order.waiting": { at: T0 + WEEK } },
    ...{ tickAt: T0 + 60_000, pending: [{ do: "tick", at: T0 + 60_000 }] },
  });
  expect(machine.take({ kind: "end", end: { job, output: { receipt: "other" } } } as never)).toBe(
    undefined,
  );
});

test("a failed job is an error of its actor", () => {
  const machine = new InHand();
  const { job } = machine.document.children["payment"] ?? { job: "" };
  machine.take({ kind: "end", end: { job, error: { type: "Declined", message: "no" } } } as never);
  expect(machine.document).toMatchObject({ status: "done", value: "lost", output: {} });
});

test("timers: each due one is a transition, those of a state that was left are silent", () => {
  const machine = new InHand().paid();
  machine.tick(T0 + 60_000);
  expect(machine.document).toMatchObject({ value: { waiting: "nudged" }, tickAt: T0 + WEEK });
  machine.send("APPROVE", { by: "ada" });
  expect(machine.document).toMatchObject({ status: "done", value: "shipped", timers: {} });
  expect(machine.tick(T0 + WEEK)).toBeUndefined();
  expect(machine.document).toMatchObject({ value: "shipped", output: { receipt: "r-5" } });
});

test("a timer of a state that was left is gone", () => {
  const machine = new InHand().paid();
  machine.send("PAUSE");
  expect(machine.document.timers).not.toHaveProperty(["xstate.after.week.order.waiting"]);
});

test("a tick that another took the place of is not heard, nor is one a second time", () => {
  const machine = new InHand().paid();
  const first = machine.document.rev;
  const tick = (rev: number, now: number) => machine.tick(now, { rev });
  expect(tick(first - 1, T0 + 60_000)).toBeUndefined();
  // It came too early: by whose clock ever.
  expect(tick(first, T0 + 59_000)).toMatchObject({
    ...{ value: { waiting: "quiet" }, tickAt: T0 + 60_000, tickRev: first + 1 },
    pending: [{ do: "tick", at: T0 + 60_000 }],
  });
  expect(tick(first, T0 + 60_000)).toBeUndefined();
  expect(machine.tick(T0 + 60_000, { rev: first + 1, run: "earlier" })).toBeUndefined();
  expect(tick(first + 1, T0 + 60_000)).toMatchObject({ value: { waiting: "nudged" } });
});

test("a stop that can be stored only as a failure cancels the jobs that the machine has invoked", () => {
  const machine = new InHand();
  const job = machine.document.children["payment"]?.job;
  const stopped = machine.take({ kind: "stop" } as never) ?? expect.unreachable();
  expect(stopped.children).toEqual({});
  const cancels = [{ do: "cancel", job, queue: "machines" }];
  for (const smaller of lastResorts(stopped, new Error("too large")))
    expect(smaller.pending).toEqual(cancels);
});

test("a refusal without its way still knows the event in hand when that comes again", () => {
  const machine = new InHand();
  for (const id of ["a", "b"]) machine.send("REFUSE", {}, id);
  const { document } = machine;
  const given = { event: { type: "BAD" }, eventId: "c", sequence: 20, place: "in/20" };
  const occurrence = { kind: "event", ...given } as const;
  const error = new Error("too large");
  const [, refused] = refuseStep(document, occurrence, error, T0);
  const [smaller] = lastResorts(refused, error);
  expect(smaller).toMatchObject({ trail: [], seen: ["c"] });
  machine.document = smaller;
  machine.sequence = 20;
  expect(machine.send("GIVE_UP", {}, "c")).toMatchObject({ value: "charging" });
});

test("a tick that is under way is not asked for again, until it is long overdue", () => {
  const machine = new InHand().paid();
  expect(machine.send("REFUSE", {}, "a", T0 + 61_000)?.pending).toEqual([]);
  const asked = [{ do: "tick", at: T0 + 60_000 }];
  expect(machine.send("BOOM", {}, "b", T0 + 160_000)?.pending).toEqual(asked);
});

test("a week without an answer", () => {
  const machine = new InHand().paid();
  for (let tick = 0; tick < 2; tick += 1) machine.tick(T0 + WEEK);
  expect(machine.document).toMatchObject({ status: "done", value: "lost" });
  expect(machine.document.trail.map(({ event }) => event)).toEqual([
    ...["xstate.init", "xstate.done.actor.payment", "NUDGED"],
    "xstate.after.week.order.waiting",
  ]);
});

test("an own action stands in pending with its parameters", () => {
  const machine = new InHand().paid();
  machine.send("APPROVE", { by: "ada" });
  expect(machine.document.pending).toContainEqual({
    ...{ do: "act", action: "tell", params: { text: "by ada" } },
    event: { type: "APPROVE", by: "ada" },
  });
});

test("history survives being stored", () => {
  const machine = new InHand().paid();
  machine.tick(T0 + 60_000);
  machine.send("PAUSE");
  expect(machine.document.value).toBe("paused");
  machine.send("RESUME");
  expect(machine.document.value).toEqual({ waiting: "nudged" });
});

test("what was sent twice under one id is one event, and an earlier place is no event", () => {
  const machine = new InHand().paid();
  machine.send("REFUSE", {}, "a");
  machine.send("REFUSE", {}, "a");
  expect(machine.document).toMatchObject({ context: { refusals: 1 }, cursor: machine.sequence });
  machine.sequence -= 1;
  expect(machine.send("REFUSE", {}, "b")).toBeUndefined();
});

test.each<[string, string, string, RegExp]>([
  ["a guard that throws", "BOOM", "Error", /the guard is broken/],
  ["a loop that never rests", "LOOP", "Error", /Infinite loop/],
  ["a context that JSON can't hold", "BAD", "unserializable-payload", /context\.paid is a Map/],
  ["an event of XState's own", "xstate.done.actor.payment", "invalid-message", /xstate\./],
])("%s fails its event, and the machine is as before", (_what, event, type, message) => {
  const machine = new InHand().paid();
  const { value, context, timers } = machine.document;
  machine.send(event);
  expect(machine.document).toMatchObject({ status: "active", value, context, timers });
  expect(machine.document.cursor).toBe(machine.sequence);
  expect(machine.document.trouble).toMatchObject({
    ...{ event, error: { type, message: expect.stringMatching(message) as string } },
  });
});

test("a machine that was stopped takes nothing any more", () => {
  const machine = new InHand();
  const { job } = machine.document.children["payment"] ?? { job: "" };
  machine.take({ kind: "stop" } as never);
  expect(machine.document).toMatchObject({ status: "stopped", children: {} });
  expect(machine.document.pending).toEqual([{ do: "cancel", job, queue: "machines" }]);
  machine.send("APPROVE", { by: "ada" });
  expect(machine.document).toMatchObject({ status: "stopped", cursor: machine.sequence });
});

test("a job whose state is left is cancelled, and its end is not heard", () => {
  const machine = new InHand();
  const { job } = machine.document.children["payment"] ?? { job: "" };
  machine.send("GIVE_UP");
  expect(machine.document).toMatchObject({ value: "paused", children: {} });
  expect(machine.document.pending).toEqual([{ do: "cancel", job, queue: "machines" }]);
  const end = { job, output: { receipt: "r-5" } };
  expect(machine.take({ kind: "end", end } as never)).toBeUndefined();
  // One that has ended is not cancelled when its state is left for that.
  expect(new InHand().paid().document.pending).toMatchObject([{ do: "tick" }]);
});

test("events of another machine are heard once, also where many came since", () => {
  const machine = new InHand().paid();
  const from = (rev: number, run = "a") =>
    machine.send("REFUSE", {}, `millrace-m:shop:s:1:${run}:${rev}:0`);
  from(5);
  for (let n = 0; n < 40; n += 1) machine.send("NOTHING", {}, `other-${n}`);
  from(5);
  from(4);
  expect(machine.document).toMatchObject({ context: { refusals: 1 } });
  from(1, "b");
  expect(machine.document).toMatchObject({ context: { refusals: 2 } });
});

test("a chart that sends itself more than it takes fails where too many wait", () => {
  const chart = setup({
    types: { context: {} as { pings: number }, events: {} as { type: "PING" } },
    actions: { again: sendTo(() => machineAddress("order", "o:1"), { type: "PING" }) },
  }).createMachine({
    context: { pings: 0 },
    on: {
      PING: {
        actions: [
          assign({ pings: ({ context }) => context.pings + 1 }),
          // Each takes one and sends a hundred.
          ...Array.from({ length: 100 }, () => "again" as const),
        ],
      },
    },
  });
  const echo = defineMachine({ name: "order", machine: chart, sendsTo: ["order"] }) as never;
  const machine = new InHand(echo);
  const own = () => Object.keys(machine.document.timers).length;
  const tick = () => {
    const { run, tickRev: rev } = machine.document;
    machine.take({ kind: "tick", run, rev } as never, T0, echo);
  };
  machine.take({ kind: "event", event: { type: "PING" } } as never, T0, echo);
  for (let more = 0; more < 9; more += 1) tick();
  expect(machine.document).toMatchObject({ context: { pings: 10 } });
  expect(machine.document.trouble).toBeUndefined();
  expect(own()).toBe(991);
  for (const left of [990, 989]) {
    tick();
    expect(machine.document).toMatchObject({
      ...{ status: "active", context: { pings: 10 } },
      trouble: {
        event: "PING",
        error: {
          type: "machine-unsupported",
          message: expect.stringContaining("1,000 events from itself") as string,
        },
      },
    });
    expect(own()).toBe(left);
  }
});

test("another version: newer ones wait, older ones are migrated, or say that they can't be", () => {
  const second = defineMachine({ name: "order", machine: orderChart, version: 2 });
  const migrated = defineMachine({
    ...{ name: "order", machine: orderChart, version: 2 },
    migrate: ({ value, context }, from) => ({
      value,
      context: { ...(context as object), refusals: from + 1 },
    }),
  });
  const mismatch = expect.objectContaining({ code: "machine-mismatch" }) as Error;
  expect(() => new InHand(second).send("REFUSE")).toThrow(mismatch);
  const machine = new InHand().paid();
  const refuse = { kind: "event", event: { type: "REFUSE" }, eventId: undefined };
  expect(() => machine.take(refuse as never, T0, second as never)).toThrow(mismatch);
  machine.take(refuse as never, T0, migrated);
  expect(machine.document).toMatchObject({ version: 2, status: "done", value: "lost" });
});

test.each<[string, unknown]>([
  ["a state that the chart does not have", "piad"],
  ["no state", undefined],
])("a migration that gives %s changes nothing: the event waits", (_, value) => {
  const migrated = defineMachine({
    ...{ name: "order", machine: orderChart, version: 2 },
    migrate: ({ context }) => ({ value: value as string, context }),
  });
  const machine = new InHand().paid();
  const before = machine.document;
  const refuse = { kind: "event", event: { type: "REFUSE" }, eventId: undefined };
  expect(() => machine.take(refuse as never, T0, migrated)).toThrow(
    expect.objectContaining({ code: "machine-mismatch" }) as Error,
  );
  expect(machine.document).toEqual(before);
});
