import {
  type Broker,
  defineMachine,
  type InboxMessage,
  machineAddress,
  type MachineDocument,
  MACHINES_BUCKET,
  MillraceError,
  noMetrics,
  readMachine,
  type SentEvent,
  silentLogger,
  systemClock,
} from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { expect, test } from "vitest";
import { sendTo, setup } from "xstate";
import { MachineHost } from "./machine-host.ts";

const chart = setup({
  actions: { tell: sendTo(() => machineAddress("open", "b"), { type: "TOLD" }) },
}).createMachine({ on: { TELL: { actions: "tell" } } });

const definition = defineMachine({ name: "m", machine: chart, sendsTo: ["down", "full", "open"] });

const NOW = 1_000_000;

function sent(to: string, number: number): SentEvent {
  const id = `millrace-m:m:a:r:1:${number}`;
  return { do: "send", to: { machine: to, id: "b" }, event: { type: "TOLD" }, id };
}

const document: MachineDocument = {
  ...{ v: 1, machine: "m", id: "a", version: 1, run: "r", rev: 1, status: "active" },
  ...{ value: {}, context: {}, cursor: 0, cause: "gone", children: {}, invoked: 0, timers: {} },
  ...{ tickRev: 0, seen: [], trail: [], startedAt: 0, changedAt: NOW, pending: [] },
};

/** A host of one machine. Machines called `full` have no room, and one called `down` not yet. */
async function hosted(stored: MachineDocument) {
  const memory = new MemoryBroker();
  const documents = await memory.documents(MACHINES_BUCKET);
  await documents.put("m.a", stored, 0);
  const looks = { count: 0, isDown: true };
  const counted = Object.assign(Object.create(documents) as typeof documents, {
    get: (key: string) => {
      looks.count += 1;
      return documents.get(key);
    },
    put: (...given: Parameters<typeof documents.put>) => documents.put(...given),
  });
  const accepted: (string | undefined)[] = [];
  const refused: (string | undefined)[] = [];
  const time = { now: NOW };
  const ticks: { readonly data: Uint8Array; readonly at: number }[] = [];
  let take: ((message: InboxMessage) => Promise<void>) | undefined;
  const inbox: Partial<Broker["inbox"]> = {
    host: (_machine, options) => {
      ({ take } = options);
      return Promise.resolve({ stop: () => Promise.resolve() });
    },
    send: (to, { eventId }) => {
      const isFull = to.machine === "full";
      const isDown = to.machine === "down" && looks.isDown;
      (isFull || isDown ? refused : accepted).push(eventId);
      if (isFull) return Promise.reject(new MillraceError("queue-full", "No room."));
      if (isDown) return Promise.reject(new MillraceError("publish-timeout", "No answer."));
      return Promise.resolve();
    },
    tick: (_of, data, at) => Promise.resolve(void ticks.push({ data, at })),
    has: () => Promise.resolve(false),
    next: () => Promise.resolve(undefined),
  };
  const broker = Object.assign(Object.create(memory) as Broker, {
    ...{ inbox, documents: () => Promise.resolve(counted) },
  });
  await MachineHost.open({
    ...{ broker, definition, node: "n", log: silentLogger, instrumentation: undefined },
    ...{ clock: { ...systemClock, now: () => time.now }, instrumentationFailed: () => {} },
    producer: { enqueue: () => Promise.reject(new Error("no job is invoked here")) },
    metrics: noMetrics,
  });
  const message = (type: string, sequence: number): InboxMessage => ({
    ...{ kind: "event", machine: "m", id: "a", sequence, place: `p-${sequence}`, isAgain: false },
    ...{ data: Buffer.from(JSON.stringify({ type })), eventId: `e-${sequence}` },
  });
  return {
    ...{ accepted, refused, time, looks, ticks },
    tick: (data: Uint8Array, sequence: number) => {
      const { eventId: _none, ...rest } = message("", sequence);
      return take?.({ ...rest, kind: "tick", data });
    },
    take: (type: string, sequence = 7) =>
      take?.(message(type, sequence)) ?? Promise.reject(new Error("not hosted")),
    stored: async () => readMachine((await documents.get("m.a"))?.value),
  };
}

test("a node with another version of the chart sends nothing of what is kept", async () => {
  const kept = { events: [sent("open", 0)], at: NOW };
  const host = await hosted({ ...document, version: 2, unsent: kept });
  await expect(host.take("OTHER")).rejects.toMatchObject({ code: "machine-mismatch" });
  expect(host.accepted).toEqual([]);
});

test("where as much is kept as may, an event that sends waits, and what was accepted is sent once", async () => {
  const full = Array.from({ length: 1_000 }, (_, n) => sent("full", n + 1));
  const kept = { events: [sent("open", 0), ...full], at: NOW };
  const host = await hosted({ ...document, unsent: kept });
  for (let times = 0; times < 3; times += 1)
    await expect(host.take("TELL")).rejects.toMatchObject({ code: "queue-full" });
  expect(host.accepted).toEqual([sent("open", 0).id]);
  expect(host.refused).toEqual([sent("full", 1).id]);
  const stored = await host.stored();
  expect(stored).toMatchObject({ rev: 2, cursor: 0, unsent: { events: full } });
  expect(stored?.trouble).toBeUndefined();
  // What sends nothing is taken.
  await host.take("OTHER");
  expect(await host.stored()).toMatchObject({ rev: 3, cursor: 7, unsent: { events: full } });
});

test("a machine that has to wait for room is not read at each look of what waits", async () => {
  const full = Array.from({ length: 1_000 }, (_, n) => sent("full", n));
  const host = await hosted({ ...document, unsent: { events: full, at: NOW + 30_000 } });
  const untaken = async (): Promise<number> => {
    await expect(host.take("TELL")).rejects.toMatchObject({ code: "queue-full" });
    return host.looks.count;
  };
  const first = await untaken();
  for (let times = 0; times < 10; times += 1) expect(await untaken()).toBe(first);
  // Another host may have sent some of it meanwhile.
  host.time.now += 1_001;
  expect(await untaken()).toBe(first);
  expect(await untaken()).toBe(first + 1);
});

test("what was accepted is not sent again because a later event could not be sent", async () => {
  const events = [sent("open", 0), sent("down", 1), sent("open", 2)];
  const host = await hosted({ ...document, unsent: { events, at: NOW } });
  await host.take("OTHER", 1);
  expect(host.accepted).toEqual([events[0]?.id]);
  expect((await host.stored())?.unsent?.events).toEqual(events.slice(1));
  host.looks.isDown = false;
  host.time.now += 30_000;
  await host.take("OTHER", 2);
  expect(host.accepted).toEqual(events.map(({ id }) => id));
  expect(await host.stored()).toMatchObject({ cursor: 2, rev: 5 });
  expect((await host.stored())?.unsent).toBeUndefined();
});

test("where none could be sent, what waits is given back as it is", async () => {
  const host = await hosted({ ...document, unsent: { events: [sent("down", 0)], at: NOW } });
  await expect(host.take("OTHER")).rejects.toMatchObject({ code: "publish-timeout" });
  expect(await host.stored()).toMatchObject({ rev: 1, cursor: 0 });
});

test("a timer fires by the next tick where its own is over a minute late and finds kept events", async () => {
  const timer = { at: NOW - 61_000, event: { type: "TELL" } };
  const kept = { events: [sent("open", 0)], at: NOW - 61_000 };
  const late = { tickAt: NOW - 61_000, timers: { week: timer }, unsent: kept };
  const host = await hosted({ ...document, ...late });
  const mark = (rev: number) => Buffer.from(JSON.stringify({ run: "r", rev }));
  await host.tick(mark(1), 3);
  // The kept event was stored as sent before the timer was looked at, with a tick that is due.
  expect(host.accepted).toEqual([sent("open", 0).id]);
  const [next] = host.ticks;
  expect(next?.at).toBeLessThanOrEqual(NOW);
  await host.tick(next?.data ?? mark(0), 4);
  const stored = await host.stored();
  expect(stored?.timers).toEqual({});
  expect(host.accepted).toHaveLength(2);
  await host.tick(mark(1), 3);
  expect(host.accepted).toHaveLength(2);
});

test("what is refused again and again is sent less and less often", async () => {
  const host = await hosted({ ...document, unsent: { events: [sent("full", 0)], at: NOW } });
  const waits: number[] = [];
  for (let sequence = 1; sequence <= 8; sequence += 1) {
    await host.take("OTHER", sequence);
    const { at } = (await host.stored())?.unsent ?? { at: Number.NaN };
    waits.push((at - host.time.now) / 1_000);
    host.time.now = at;
  }
  expect(waits).toEqual([2, 4, 8, 16, 30, 30, 30, 30]);
});
