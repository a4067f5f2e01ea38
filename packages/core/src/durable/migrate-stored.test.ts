import { MemoryBroker } from "@millrace/testkit";
import { expect, test } from "vitest";
import type { Broker } from "../broker/broker.ts";
import { withOwn } from "../broker/with-own.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { defineMachine } from "./define-machine.ts";
import { type MachineDocument, machineKey, MACHINES_BUCKET } from "./machine-document.ts";
import { migrateStored } from "./migrate-stored.ts";
import { orderChart } from "./order-chart.fixture.ts";
import { startMachine } from "./step-machine.ts";

const older = defineMachine({ name: "order", machine: orderChart });
const newer = defineMachine({
  ...{ name: "order", machine: orderChart, version: 2 },
  migrate: ({ context }) => ({ value: "paused", context }),
});
const ref = { machine: "order", id: "o-1", sequence: 1, place: "inbox/1", now: 1 };
const started = startMachine(older, { ...ref, input: { cents: 5 } });
const resting: MachineDocument = { ...started, pending: [] };

/** A machine as it is stored, and whether the message that it came of is still there. */
async function stored(document: MachineDocument, { isInHand = false, conflicts = false } = {}) {
  const memory = new MemoryBroker();
  const documents = await memory.documents(MACHINES_BUCKET);
  const revision = await documents.put(machineKey(ref), document, 0);
  const broker: Pick<Broker, "documents" | "inbox"> = {
    inbox: withOwn<Broker["inbox"]>(memory.inbox, { has: () => Promise.resolve(isInHand) }),
    documents: async (name) => {
      // Between the read and the write another host comes.
      const get = documents.get.bind(documents);
      if (conflicts)
        documents.get = async (key) => {
          const found = await get(key);
          await documents.put(key, document, revision);
          return found;
        };
      return name === MACHINES_BUCKET ? documents : memory.documents(name);
    },
  };
  const now = async () => (await memory.documents(MACHINES_BUCKET)).get(machineKey(ref));
  const refuse = (failure: MillraceError): void => {
    documents.put = () => Promise.reject(failure);
  };
  return { broker, now, refuse };
}

test("a machine of an older version is stored as the newer one has it", async () => {
  const { broker, now } = await stored(resting);
  expect(await migrateStored(broker, newer, ref)).toEqual({ state: "migrated" });
  const { rev } = resting;
  expect((await now())?.value).toEqual({ ...resting, version: 2, value: "paused", rev: rev + 1 });
  expect(await migrateStored(broker, newer, ref)).toEqual({ state: "current" });
});

test("one that has ended, and one that is not there, have nothing to migrate", async () => {
  const { broker, now } = await stored({ ...resting, status: "done" });
  expect(await migrateStored(broker, newer, ref)).toEqual({ state: "current" });
  expect((await now())?.value).toMatchObject({ version: 1 });
  expect(await migrateStored(broker, newer, { ...ref, id: "o-2" })).toEqual({ state: "current" });
});

test("one that could not go on is left as it is, and said", async () => {
  const { broker, now } = await stored(resting);
  const lost = defineMachine({ name: "order", machine: orderChart, version: 2 });
  expect(await migrateStored(broker, lost, ref)).toMatchObject({
    ...{ state: "failed", error: { message: expect.stringContaining("migrate") as unknown } },
  });
  expect((await now())?.value).toEqual(resting);
});

test("one whose new context JSON can't hold is left as it is, and said", async () => {
  const { broker, now } = await stored(resting);
  const big = defineMachine({
    ...{ name: "order", machine: orderChart, version: 2 },
    migrate: ({ value }) => ({ value, context: { cents: 5n } }),
  });
  const message = expect.stringContaining("context.cents is a bigint") as unknown;
  const failed = { state: "failed", error: { type: "machine-mismatch", message } };
  expect(await migrateStored(broker, big, ref)).toEqual(failed);
  expect((await now())?.value).toEqual(resting);
});

test.each(["payload-too-large", "unserializable-payload"] as const)(
  "one that is refused with %s is left as it is, and said; other failures are thrown",
  async (code) => {
    const { broker, now, refuse } = await stored(resting);
    refuse(new MillraceError(code, "No."));
    const failed = { state: "failed", error: { type: code, message: "No." } };
    expect(await migrateStored(broker, newer, ref)).toEqual(failed);
    expect((await now())?.value).toEqual(resting);
    refuse(new MillraceError("broker-unavailable", "Gone."));
    await expect(migrateStored(broker, newer, ref)).rejects.toThrow("Gone.");
  },
);

test("while a host may be at what follows from its last event, it is left to that host", async () => {
  expect(started.pending).not.toEqual([]);
  const { broker, now } = await stored(started, { isInHand: true });
  expect(await migrateStored(broker, newer, ref)).toEqual({ state: "busy" });
  expect((await now())?.value).toEqual(started);
  const done = await stored(started);
  expect(await migrateStored(done.broker, newer, ref)).toEqual({ state: "migrated" });
  expect((await done.now())?.value).toMatchObject({ version: 2, pending: [] });
});

test("one that changes at this very moment is left to whoever changed it", async () => {
  const { broker, now } = await stored(resting, { conflicts: true });
  expect(await migrateStored(broker, newer, ref)).toEqual({ state: "busy" });
  expect((await now())?.value).toEqual(resting);
});
