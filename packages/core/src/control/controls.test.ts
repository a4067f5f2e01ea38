import { describe, expect, test } from "vitest";
import { MemoryBroker } from "@millrace/testkit";
import { changeControls } from "./change-controls.ts";
import { changedControls, CONTROLS_BUCKET, type QueueControls } from "./queue-controls.ts";
import { readControls } from "./read-controls.ts";

const MARK = { since: 1_000, reason: "deploy", by: "ada" };
const RATE = { limit: 10, perMs: 1_000 };

describe("readControls", () => {
  test.each<[unknown, QueueControls]>([
    [undefined, {}],
    [{}, {}],
    [
      { paused: MARK, intake: MARK, concurrency: 3, rate: RATE, perKey: { concurrency: 1 } },
      { paused: MARK, closed: MARK, concurrency: 3, rate: RATE, perKey: { concurrency: 1 } },
    ],
    [
      { paused: true, intake: "closed" },
      { paused: { since: 0 }, closed: { since: 0 } },
    ],
    [{ paused: false, intake: "open", perKey: {} }, {}],
    [{ paused: { since: "?", reason: 7 } }, { paused: { since: 0 } }],
    [{ paused: null, rate: null, somethingNewer: { x: 1 } }, {}],
    [{ sendsTo: ["print", "pay"] }, { sendsTo: ["print", "pay"] }],
    [{ maxParked: 0 }, { maxParked: 0 }],
  ])("%j", (value, controls) => {
    expect(readControls(value)).toEqual({ controls, problems: [] });
  });

  test.each<[unknown, number]>([
    ["paused", 1],
    [null, 1],
    [[1], 1],
    [{ concurrency: 0, rate: { limit: 1.5, perMs: 1 }, perKey: 3 }, 3],
    [{ concurrency: "3", perKey: { concurrency: -1, rate: { limit: 1 } } }, 3],
    [{ paused: "yes", intake: 4 }, 2],
    [{ sendsTo: ["*"] }, 1],
    [{ sendsTo: "pay" }, 1],
    [{ maxParked: -1 }, 1],
  ])("%j has unusable fields, which are reported and count as absent", (value, count) => {
    const { controls, problems } = readControls(value);
    expect(controls).toEqual({});
    expect(problems).toHaveLength(count);
  });

  test("what can be used counts beside what can't", () => {
    const { controls, problems } = readControls({ paused: MARK, rate: "fast" });
    expect(controls).toEqual({ paused: MARK });
    expect(problems).toHaveLength(1);
  });
});

describe("changedControls", () => {
  test.each<[QueueControls, Parameters<typeof changedControls>[1], QueueControls]>([
    [{}, { paused: MARK }, { paused: MARK }],
    [{ paused: MARK, concurrency: 2 }, { paused: null }, { concurrency: 2 }],
    [{ rate: RATE }, { concurrency: 2 }, { rate: RATE, concurrency: 2 }],
    [
      { perKey: { rate: RATE } },
      { perKey: { concurrency: 1 } },
      { perKey: { rate: RATE, concurrency: 1 } },
    ],
    [{ perKey: { rate: RATE }, concurrency: 1 }, { perKey: { rate: null } }, { concurrency: 1 }],
    [{ concurrency: 1 }, {}, { concurrency: 1 }],
  ])("%j with %j is %j", (before, change, after) => {
    expect(changedControls(before, change)).toEqual(after);
  });
});

describe("changeControls", () => {
  const open = async () => new MemoryBroker().documents(CONTROLS_BUCKET);

  test("two operators at once: both changes stand", async () => {
    const store = await open();
    await Promise.all([
      changeControls(store, "mail", { paused: MARK }),
      changeControls(store, "mail", { concurrency: 4 }),
      changeControls(store, "mail", { rate: RATE }),
    ]);
    expect(readControls((await store.get("mail"))?.value).controls).toEqual({
      paused: MARK,
      concurrency: 4,
      rate: RATE,
    });
  });

  test("nothing left to say removes the document, and what a newer version wrote stays", async () => {
    const store = await open();
    await changeControls(store, "mail", { paused: MARK });
    await changeControls(store, "mail", { paused: null });
    expect(await store.get("mail")).toBeUndefined();
    await store.put("mail", { newer: 1, concurrency: 2 });
    await changeControls(store, "mail", { concurrency: null, closed: MARK });
    expect((await store.get("mail"))?.value).toEqual({ newer: 1, intake: MARK });
  });

  test("a change that depends on what is there, or makes none", async () => {
    const store = await open();
    await changeControls(store, "mail", { paused: MARK });
    const kept = await changeControls(store, "mail", ({ paused }) =>
      paused === undefined ? { paused: { since: 2 } } : undefined,
    );
    expect(kept).toEqual({ paused: MARK });
    expect((await store.get("mail"))?.revision).toBe(1);
  });

  test.each([
    { concurrency: 0 },
    { sendsTo: ["no.queue"] },
    { maxParked: 0.5 },
    { concurrency: 1.5 },
    { rate: { limit: 0, perMs: 1_000 } },
    { rate: { limit: 1, perMs: 25 * 3_600_000 } },
    { perKey: { rate: { limit: 1, perMs: 0.5 } } },
  ])("%j is refused", async (change) => {
    await expect(changeControls(await open(), "mail", change)).rejects.toMatchObject({
      code: "invalid-option",
    });
  });
});
