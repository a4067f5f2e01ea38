import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { forgetMachine } from "./forget-machine.ts";
import { type MachineDocument, machineKey, MACHINES_BUCKET } from "./machine-document.ts";

const ref = { machine: "order", id: "a" };
const AT = 9e12;
const one: MachineDocument = {
  ...{ v: 1, ...ref, version: 1, run: "r", rev: 1, status: "active", value: "idle" },
  ...{ context: {}, cursor: 1, cause: "inbox/1", pending: [], children: {}, invoked: 0 },
  ...{ timers: {}, tickRev: 0, seen: [], trail: [], startedAt: 0, changedAt: 0, tickAt: AT },
};
const kept = { do: "send", to: ref, event: { type: "RESERVE" }, id: "e-1" } as const;

/** A stored machine whose timer is under way, and what comes just before its document goes. */
async function scene(document: MachineDocument, meanwhile: () => Promise<void> = async () => {}) {
  const clock = new SimulatedClock();
  const memory = new MemoryBroker({ clock });
  onTestFinished(() => memory.close());
  const documents = await memory.documents(MACHINES_BUCKET);
  const revision = await documents.put(machineKey(ref), document, 0);
  const before = clock.pending;
  await memory.inbox.tick(ref, new Uint8Array(), AT);
  expect(clock.pending).toBe(before + 1);
  const erase = documents.erase.bind(documents);
  documents.erase = async (key, seen) => {
    await meanwhile();
    return erase(key, seen);
  };
  const broker = {
    inbox: memory.inbox,
    documents: async () => documents,
  };
  return {
    documents,
    inbox: memory.inbox,
    ticks: () => clock.pending - before,
    forget: () => forgetMachine(broker, { ...ref, revision }, () => true),
  };
}

test.each<[string, Partial<MachineDocument>]>([
  ["goes on", {}],
  ["keeps events for others", { status: "done", unsent: { events: [kept], at: 0 } }],
])("one that %s keeps its timer where it changes at this very moment", async (_what, changes) => {
  const stored = { ...one, ...changes };
  const { documents, ticks, forget } = await scene(stored, async () => {
    await documents.put(machineKey(ref), { ...stored, rev: 2 });
  });
  expect(await forget()).toBe(false);
  expect((await documents.get(machineKey(ref)))?.value).toMatchObject({ rev: 2 });
  expect(ticks()).toBe(1);
});

test.each<MachineDocument["status"]>(["active", "done"])(
  "one that is %s goes with its timer, and no timer of a new life does",
  async (status) => {
    const { documents, inbox, ticks, forget } = await scene({ ...one, status }, () =>
      inbox.tick(ref, new Uint8Array(), AT + 1),
    );
    expect(await forget()).toBe(true);
    expect((await documents.get(machineKey(ref)))?.value).toBeUndefined();
    expect(ticks()).toBe(1);
  },
);
