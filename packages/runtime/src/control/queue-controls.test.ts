import {
  changeControls,
  CONTROLS_BUCKET,
  type DocumentStore,
  type Logger,
  silentLogger,
} from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { QueueControlsView } from "./queue-controls.ts";

async function scene() {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const broker = new MemoryBroker({ clock, server });
  const operator = new MemoryBroker({ clock, server });
  const store = await operator.documents(CONTROLS_BUCKET);
  const warnings: unknown[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (fields: unknown) => void warnings.push(fields),
    child: () => log,
  };
  const view = new QueueControlsView({ broker, clock, log });
  return { clock, broker, operator, store, view, warnings };
}

async function opened() {
  const made = await scene();
  const service = await made.view.open();
  onTestFinished(() => service.stop());
  return { ...made, service };
}

test("knows what was set before it was opened, and hears of changes at once", async () => {
  const { view, store, clock } = await scene();
  await changeControls(store, "mail", { concurrency: 3 });
  const service = await view.open();
  expect(view.of("mail")).toEqual({ concurrency: 3 });
  const heard: unknown[] = [];
  view.onChange("mail", (controls) => heard.push(controls));
  await changeControls(store, "mail", { paused: { since: 1 } });
  await changeControls(store, "other", { concurrency: 1 });
  await clock.advance(0);
  expect(heard).toEqual([{ concurrency: 3, paused: { since: 1 } }]);
  await store.remove("mail");
  await clock.advance(0);
  expect(heard.at(-1)).toEqual({});
  expect(view.of("mail")).toEqual({});
  await service.stop();
  expect(clock.pending).toBe(0);
  await changeControls(store, "mail", { concurrency: 9 });
  await clock.advance(0);
  expect(view.of("mail")).toEqual({});
});

test("gates are told the limits of a key, and nothing where nothing is set", async () => {
  const { view, store, clock } = await opened();
  const rate = { limit: 1, perMs: 5 };
  expect(view.limitsOf("mail")).toEqual({});
  await changeControls(store, "mail", { perKey: { concurrency: 2, rate } });
  await clock.advance(0);
  expect(view.limitsOf("mail")).toEqual({ keyConcurrency: 2, keyRate: rate });
});

test("after a reconnect it looks again, and what was removed meanwhile is gone", async () => {
  const { view, store, clock, broker } = await opened();
  await changeControls(store, "gone", { concurrency: 1 });
  await clock.advance(0);
  broker.disconnect();
  await store.remove("gone");
  await changeControls(store, "new", { concurrency: 2 });
  await clock.advance("5s");
  expect([view.of("gone"), view.of("new")]).toEqual([{ concurrency: 1 }, {}]);
  broker.reconnect();
  await clock.advance(0);
  expect([view.of("gone"), view.of("new")]).toEqual([{}, { concurrency: 2 }]);
});

test("a look that fails is repeated every second", async () => {
  const { view, store, clock, broker } = await opened();
  broker.disconnect();
  await clock.advance("90s");
  await changeControls(store, "mail", { concurrency: 2 });
  broker.reconnect();
  await clock.advance("1s");
  expect(view.of("mail")).toEqual({ concurrency: 2 });
});

test("rubbish is reported once and ignored", async () => {
  const { view, store, clock, warnings } = await opened();
  await store.put("mail", "rubbish");
  await store.put("other", { concurrency: -1, paused: true });
  await clock.advance("10m");
  expect(view.of("mail")).toEqual({});
  expect(view.of("other")).toEqual({ paused: { since: 0 } });
  expect(warnings).toHaveLength(2);
});

test("it can't be opened while the server is away, and can afterwards", async () => {
  const { view, broker } = await scene();
  broker.disconnect();
  await expect(view.open()).rejects.toMatchObject({ code: "request-timeout" });
  broker.reconnect();
  await (await view.open()).stop();
});

test("a pause is known at once by a node whose watch has just died", async () => {
  const { view, store, clock, broker } = await scene();
  const documents = await broker.documents(CONTROLS_BUCKET);
  broker.documents = async () => ({
    ...boundTo(documents),
    watch: async () => ({ stop: async () => {} }),
  });
  const service = await view.open();
  await changeControls(store, "mail", { paused: { since: 1 } });
  await clock.advance("50ms");
  expect(view.of("mail")).toEqual({ paused: { since: 1 } });
  await service.stop();
  expect(clock.pending).toBe(0);
});

test("what was heard of and is not stored yet is read again; what was refused changes nothing", async () => {
  const { view, store, clock, broker } = await scene();
  const documents = await broker.documents(CONTROLS_BUCKET);
  let hear: (put: { readonly key: string; readonly value: unknown }) => void = () => {};
  broker.documents = async () => ({
    ...boundTo(documents),
    watch: async () => ({ stop: async () => {} }),
    hearPuts: async (listener: typeof hear) => {
      hear = listener;
      return { stop: async () => {} };
    },
  });
  const service = await view.open();
  hear({ key: "mail", value: { paused: { since: 1 } } });
  hear({ key: "other", value: { paused: { since: 1 } } });
  await clock.advance("300ms");
  expect(view.of("mail")).toEqual({});
  await changeControls(store, "mail", { paused: { since: 1 } });
  await clock.advance("1s");
  expect(view.of("mail")).toEqual({ paused: { since: 1 } });
  await clock.advance("20s");
  expect(view.of("other")).toEqual({});
  await service.stop();
  expect(clock.pending).toBe(0);
});

/** Its methods, to be replaced one by one. */
function boundTo(documents: DocumentStore): DocumentStore {
  return {
    get: (key) => documents.get(key),
    find: (key) => documents.find(key),
    peek: (key) => documents.peek(key),
    list: () => documents.list(),
    page: (query) => documents.page(query),
    put: (...args) => documents.put(...args),
    remove: (...args) => documents.remove(...args),
    forgetRemoved: (options) => documents.forgetRemoved(options),
    erase: (...args) => documents.erase(...args),
    now: () => documents.now(),
    watch: (listener) => documents.watch(listener),
    hearPuts: (listener) => documents.hearPuts(listener),
  };
}
