import { type MachineDocument, machineKey, MACHINES_BUCKET, systemClock } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { createClient } from "../client.ts";
import type { MachinesQuery } from "./list-machines.ts";

async function scene() {
  const broker = new MemoryBroker({ clock: systemClock });
  onTestFinished(() => broker.close());
  const { machines } = createClient(broker, systemClock);
  const documents = await broker.documents(MACHINES_BUCKET);
  const put = (machine: string, id: string, changes: Partial<MachineDocument> = {}) => {
    const one: MachineDocument = {
      ...{ v: 1, machine, id, version: 1, run: "r", rev: 1, status: "active", value: "idle" },
      ...{ context: {}, cursor: 1, cause: "inbox/1", pending: [], children: {}, invoked: 0 },
      ...{ timers: {}, tickRev: 0, seen: [], trail: [], startedAt: 0, changedAt: 0, ...changes },
    };
    return documents.put(machineKey(one), one);
  };
  const pages = async (query: MachinesQuery) => {
    const read: string[][] = [];
    let after: number | undefined;
    do {
      const page = await machines.list({ ...query, ...(after === undefined ? {} : { after }) });
      read.push(page.machines.map(({ id }) => id));
      after = page.next;
    } while (after !== undefined);
    return read;
  };
  return { machines, documents, put, pages };
}

test("machines are listed in pages, those that changed last first", async () => {
  const { put, pages, documents } = await scene();
  for (const id of ["a", "b", "c", "d", "e"]) await put("order", id);
  await put("orders", "x");
  await documents.put("order", { v: 1, charts: [] });
  await documents.put("order.swept.until", { v: 1, until: 1 });
  await put("order", "b");
  expect(await pages({ machine: "order", limit: 2 })).toEqual([["b", "e"], ["d", "c"], ["a"]]);
  expect(await pages({ machine: "order", limit: 5 })).toEqual([["b", "e", "d", "c", "a"]]);
  expect(await pages({})).toEqual([["b", "x", "e", "d", "c", "a"]]);
  expect(await pages({ machine: "none" })).toEqual([[]]);
});

test("they are found by status and by state, also in one around theirs", async () => {
  const { put, pages } = await scene();
  await put("order", "a", { value: { waiting: "quiet" } });
  await put("order", "b", { value: { waiting: "nudged" } });
  await put("order", "c", { value: "waitingroom" });
  await put("order", "d", { value: { waiting: "quiet" }, status: "stopped" });
  await put("order", "e", { value: { both: { x: "x1", y: "y1" } } });
  expect(await pages({ state: "waiting", limit: 2 })).toEqual([["d", "b"], ["a"]]);
  expect(await pages({ state: "waiting.quiet", status: "active" })).toEqual([["a"]]);
  expect(await pages({ state: "both.y" })).toEqual([["e"]]);
  expect(await pages({ status: "stopped", limit: 1 })).toEqual([["d"]]);
});

test("a page looks at so many and no more, and says where to go on", async () => {
  const { put, pages } = await scene();
  await put("order", "found", { value: "rare" });
  for (let n = 0; n < 10_500; n += 1) await put("order", `m-${n}`);
  expect(await pages({ machine: "order", state: "rare" })).toEqual([[], ["found"]]);
});

test.each<[object, RegExp]>([
  [{ status: "finished" }, /active, done, error, stopped; got "finished"/],
  [{ status: "" }, /active, done, error, stopped/],
  [{ state: "" }, /the path of a state/],
  [{ state: { waiting: "quiet" } }, /the path of a state, .*got \{"waiting":"quiet"\}/],
])("%j is refused, and what may be asked is told", async (query, says) => {
  const { machines } = await scene();
  await expect(machines.list(query)).rejects.toMatchObject({
    code: "invalid-option",
    message: expect.stringMatching(says) as string,
  });
});

test.each([{ limit: 0 }, { limit: 1.5 }, { limit: 10_001 }, { after: -1 }, { pages: 1 }])(
  "%j is refused",
  async (query) => {
    const { machines } = await scene();
    await expect(machines.list(query)).rejects.toMatchObject({ code: "invalid-option" });
  },
);

test("an ended machine is not removed while it keeps events that others have no room for", async () => {
  const { machines, put } = await scene();
  const to = { machine: "stock", id: "all" };
  const kept = { do: "send", to, event: { type: "RESERVE" }, id: "e-1" } as const;
  await put("order", "a", { status: "done", unsent: { events: [kept], at: 0 } });
  await expect(machines.remove("order", "a")).rejects.toMatchObject({
    code: "machine-active",
    message: expect.stringContaining("still keeps 1 of its events") as unknown,
  });
  await put("order", "a", { status: "done" });
  expect(await machines.remove("order", "a")).toBe(true);
});

test("by force, a machine is forgotten that goes on or keeps events", async () => {
  const { machines, put, documents } = await scene();
  await put("order", "a");
  await expect(machines.remove("order", "a")).rejects.toMatchObject({ code: "machine-active" });
  await expect(machines.remove("order", "a", { force: false })).rejects.toThrow();
  expect(await machines.remove("order", "a", { force: true })).toBe(true);
  expect((await documents.get("order.a"))?.value).toBeUndefined();
  expect(await machines.remove("order", "a", { force: true })).toBe(false);
  await put("order", "b", { status: "done", unsent: { events: [], at: 0 } });
  expect(await machines.remove("order", "b", { force: true })).toBe(true);
  const unknown = { forced: true } as never;
  await expect(machines.remove("order", "a", unknown)).rejects.toMatchObject({
    code: "invalid-option",
  });
});
