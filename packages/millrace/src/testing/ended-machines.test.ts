import { defineMachine, MACHINES_BUCKET, NO_MACHINE } from "@millrace/core";
import { expect, test } from "vitest";
import { setup } from "xstate";
import { createTestRuntime } from "./index.ts";

const chart = setup({
  types: {
    context: {} as { n: number },
    input: {} as { n: number },
    events: {} as { type: "END" },
  },
}).createMachine({
  context: ({ input }) => input,
  initial: "open",
  states: {
    open: { on: { END: "over" }, after: { [400 * 24 * 3_600_000]: "over" } },
    over: { type: "final" },
  },
});
const visit = defineMachine({ name: "visit", machine: chart, keepEnded: "20m" });
const other = defineMachine({ name: "visits", machine: chart, keepEnded: "forever" });

async function scene() {
  const t = await createTestRuntime({ jobs: [], machines: [visit, other] });
  const documents = await t.broker.documents(MACHINES_BUCKET);
  const ids = async () => {
    const found = (await t.client.machines.list()).machines.map(
      ({ machine, id }) => `${machine} ${id}`,
    );
    return found.toSorted();
  };
  return { t, documents, ids };
}

test("one that ended long ago is forgotten, one that goes on is not", async () => {
  const { t, documents, ids } = await scene();
  await using _ended = t;
  for (const id of ["a", "b", "c"]) await t.machine(visit, id).start({ n: 1 });
  await t.machine(other, "a").start({ n: 1 });
  await documents.put("visit.nobody", NO_MACHINE);
  await t.clock.advance(0);
  await t.machine(visit, "a").send({ type: "END" });
  await t.machine(visit, "b").stop();
  await t.machine(other, "a").send({ type: "END" });
  await t.clock.advance("10m");
  expect(await ids()).toEqual(["visit a", "visit b", "visit c", "visits a"]);
  // What comes to it counts.
  await t.machine(visit, "b").send({ type: "END" });
  await t.clock.advance("15m");
  expect(await ids()).toEqual(["visit b", "visit c", "visits a"]);
  expect(await documents.get("visit.nobody")).toBeUndefined();
  await t.clock.advance("60m");
  expect(await ids()).toEqual(["visit c", "visits a"]);
  await t.machine(visit, "c").send({ type: "END" });
  await t.clock.advance("25m");
  expect(await ids()).toEqual(["visits a"]);
});

test("the id of one that was forgotten may be started anew; what comes before is dropped", async () => {
  const { t, ids } = await scene();
  await using _ended = t;
  const a = t.machine(visit, "a");
  await a.start({ n: 1 });
  await a.send({ type: "END" }, { id: "click" });
  await t.clock.advance("30m");
  expect(await ids()).toEqual([]);
  await a.send({ type: "END" }, { id: "click" });
  await t.clock.advance(0);
  await expect(a.snapshot()).rejects.toMatchObject({ code: "machine-not-found" });
  await a.start({ n: 2 });
  await t.clock.advance("60m");
  expect(await a.snapshot()).toMatchObject({ status: "active", context: { n: 2 } });
  await a.send({ type: "END" }, { id: "click" });
  await t.clock.advance(0);
  expect(await a.snapshot()).toMatchObject({ status: "done", context: { n: 2 } });
});

test("timers go with their machine, also where it is removed on demand", async () => {
  const { t, ids } = await scene();
  await using _ended = t;
  const idle = t.clock.pending;
  for (const id of ["a", "b"]) {
    await t.machine(visit, id).start({ n: 1 });
    await t.machine(visit, id).stop();
  }
  await t.clock.advance(0);
  expect(t.clock.pending).toBe(idle + 2);
  expect(await t.client.machines.remove("visit", "a")).toBe(true);
  expect(t.clock.pending).toBe(idle + 1);
  await t.clock.advance("30m");
  expect(await ids()).toEqual([]);
  expect(t.clock.pending).toBe(idle);
});

test("how long they are kept is at least a minute", () => {
  expect(() => defineMachine({ name: "x", machine: chart, keepEnded: "5s" })).toThrow(
    expect.objectContaining({ code: "invalid-option" }),
  );
  expect(defineMachine({ name: "x", machine: chart }).keepEndedMs).toBe(30 * 24 * 3_600_000);
});
