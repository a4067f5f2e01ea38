import { type Broker, type MachineDocument, MACHINES_BUCKET, silentLogger } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { MachineSweeper } from "./machine-sweeper.ts";

const KEEP_MS = 60_000;

const machine = (id: string, status: MachineDocument["status"], changes = {}) =>
  ({
    ...{
      v: 1,
      machine: "order",
      id,
      version: 1,
      run: "r",
      rev: 1,
      status,
      value: "x",
      context: {},
    },
    ...{ cursor: 1, cause: "inbox/1", pending: [], children: {}, invoked: 0, timers: {} },
    ...{ tickRev: 0, seen: [], trail: [], startedAt: 0, changedAt: 0, ...changes },
  }) satisfies MachineDocument;

async function scene(changed: (broker: MemoryBroker) => Partial<Broker["inbox"]> = () => ({})) {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const documents = await broker.documents(MACHINES_BUCKET);
  const put = (one: MachineDocument, expected = 0) =>
    documents.put(`order.${one.id}`, one, expected);
  const looks: string[] = [];
  const inbox = new Proxy(broker.inbox, {
    get(target, key) {
      const value: unknown = Reflect.get({ ...changed(broker) }, key) ?? Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return (...given: unknown[]) => {
        looks.push(String(key));
        return (value as (...all: unknown[]) => unknown).apply(target, given);
      };
    },
  });
  const sweeper = new MachineSweeper({
    broker: { documents: (bucket) => broker.documents(bucket), inbox },
    ...{ clock, log: silentLogger, random: () => 0.5 },
    definition: { name: "order", keepEndedMs: KEEP_MS },
  });
  onTestFinished(() => sweeper.stop());
  const ids = async () =>
    (await documents.list()).map(({ key }) => key).filter((key) => key.split(".").length === 2);
  return { clock, broker, documents, put, ids, looks };
}

test("one that something waits for stays until that is gone, and others go meanwhile", async () => {
  const waiting = new Set(["a"]);
  const { clock, put, ids } = await scene((broker) => ({
    next: async (of, from) =>
      waiting.has(of.id)
        ? {
            ...{ ...of, kind: "start", sequence: 1, place: "inbox/1", isAgain: false },
            data: new Uint8Array(),
          }
        : broker.inbox.next(of, from),
  }));
  for (const id of ["before", "a", "b"]) await put(machine(id, "done"));
  await put(machine("c", "active"));
  await clock.advance(4 * KEEP_MS);
  expect(await ids()).toEqual(["order.a", "order.c"]);
  waiting.clear();
  await clock.advance(4 * KEEP_MS);
  expect(await ids()).toEqual(["order.c"]);
});

test("one whose host has left something undone stays", async () => {
  const { clock, broker, put, ids } = await scene();
  await broker.inbox.send({ machine: "order", id: "z" }, { kind: "stop", data: new Uint8Array() });
  const pending = [{ do: "log" }] as const;
  await put(machine("a", "done", { pending, cause: "inbox/1" }));
  await put(machine("b", "done", { pending, cause: "inbox/2" }));
  await clock.advance(4 * KEEP_MS);
  expect(await ids()).toEqual(["order.a"]);
});

test("one that is written while it is swept stays, with the timers of its new life", async () => {
  const run = "another life";
  const { clock, broker, documents, put, ids } = await scene((server) => ({
    next: async () => {
      const [found] = (await documents.list()).filter(({ key }) => key === "order.a");
      if ((found?.value as MachineDocument | undefined)?.run === run) return undefined;
      await documents.erase("order.a", found?.revision ?? 0);
      await documents.put("order.a", machine("a", "active", { run, tickAt: 9e12 }), 0);
      await server.inbox.tick({ machine: "order", id: "a" }, new Uint8Array(), 9e12);
      return undefined;
    },
  }));
  await put(machine("a", "done", { tickAt: clock.now() + 9e9 }));
  const before = await broker.inbox.ticksAsked();
  await clock.advance(4 * KEEP_MS);
  expect(await ids()).toEqual(["order.a"]);
  expect((await documents.get("order.a"))?.value).toMatchObject({ run });
  expect(await broker.inbox.ticksAsked()).toBe(before + 1);
  const timers = clock.pending;
  await broker.inbox.dropTicks({ machine: "order", id: "a" }, before);
  expect(clock.pending).toBe(timers);
  await broker.inbox.dropTicks({ machine: "order", id: "a" }, before + 1);
  expect(clock.pending).toBe(timers - 1);
});

test("a document is looked at once when it has become old, and not again", async () => {
  const { clock, put, documents, ids } = await scene();
  for (let n = 0; n < 600; n += 1) await put(machine(`m-${n}`, n === 590 ? "done" : "active"));
  await clock.advance(4 * KEEP_MS);
  expect(await ids()).toHaveLength(599);
  expect((await documents.get("order.swept.until"))?.value).toMatchObject({ until: 600 });
});

test("where it is stored as no JSON how far they have come, that is written anew", async () => {
  const { clock, broker, put } = await scene();
  const key = "order.swept.until";
  const documents = await broker.documents(MACHINES_BUCKET);
  const revision = await documents.put(key, "{ no JSON");
  // To a real server's reader it is absent and yet there.
  const unreadable = { key, revision, updatedAt: 0, unreadable: "it is no JSON" };
  const open = broker.documents.bind(broker);
  broker.documents = async (bucket) =>
    Object.assign(await open(bucket), { get: async () => undefined, find: async () => unreadable });
  await put(machine("a", "active"));
  await clock.advance("10m");
  expect((await documents.get(key))?.value).toMatchObject({ v: 1 });
});
