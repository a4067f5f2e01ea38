import { expect, test } from "vitest";
import { record } from "./record.fixture.ts";
import type { RecordHandler, RecordQuery } from "./record-handler.ts";

export interface StoreUnderTest {
  /** On the same place each time it is called within a test. */
  readonly open: (keepMs?: number) => RecordHandler;
  /** False for files: they are deleted whole, by when they were written. */
  readonly prunesByRecord: boolean;
}

/** What every store that can be queried does alike. */
export function storeSuite(make: () => StoreUnderTest): void {
  const ids = async (store: RecordHandler, query: Partial<RecordQuery> = {}): Promise<string[]> =>
    ((await store.query?.({ limit: 100, ...query })) ?? []).map(({ id }) => id);

  async function opened(keepMs?: number): Promise<RecordHandler & AsyncDisposable> {
    const store = make().open(keepMs);
    return Promise.resolve({ ...store, [Symbol.asyncDispose]: () => store.close() });
  }

  test("a record comes back as it was written, whatever is in it", async () => {
    await using store = await opened();
    const written = record({
      id: "whole",
      attempt: 2,
      maxAttempts: 5,
      state: "requeued",
      outcome: "failed",
      durationMs: 12.345,
      retryDelayMs: 4_000,
      reason: "because",
      error: {
        type: "TypeError",
        message: 'it\'s "broken" \\u0000; drop table x',
        stack: "at a\nat b",
      },
      traceId: "0af7651916cd43dd8448eb211c80319c",
      parent: { id: "p", queue: "q" },
      tags: ["a", "b"],
      payload: { deep: [{ n: 1.5 }, null, true], text: "grüß 你好 🎉", __proto__x: 1 },
      output: [1, "two"],
    });
    await store.write([written]);
    expect(await store.query?.({ limit: 1 })).toEqual([written]);
  });

  test("what a database may not like is kept all the same", async () => {
    await using store = await opened();
    await store.write([
      record({
        id: "odd",
        reason: "nul \0 and half \ud800",
        name: "",
        payload: { "\0": "\0\udc00" },
      }),
    ]);
    expect(await store.query?.({ id: "odd", limit: 1 })).toMatchObject([{ id: "odd", name: "" }]);
  });

  test("what is in the store and is no record is passed over", async () => {
    await using store = await opened();
    const foreign = [{ tags: "vip" }, { reason: { why: "x" } }, { retryDelayMs: "soon" }];
    await store.write([
      record({ id: "good", at: 1 }),
      ...foreign.map((fields) => ({ ...record({ id: "bad", at: 2 }), ...fields }) as never),
    ]);
    expect(await ids(store)).toEqual(["good"]);
  });

  test("records that are written twice are there once", async () => {
    await using store = await opened();
    const twice = [record({ id: "1", at: 1 }), record({ id: "2", at: 2 })];
    await store.write(twice);
    await store.write([...twice, record({ id: "3", at: 3 })]);
    expect(await ids(store)).toEqual(["3", "2", "1"]);
  });

  test("the newest first, and what fits every part of the filter", async () => {
    await using store = await opened();
    await store.write([
      record({ id: "1", at: 1_000, queue: "mail" }),
      record({
        id: "2",
        at: 2_000,
        queue: "img",
        name: "img.scale",
        outcome: "failed",
        state: "requeued",
      }),
      record({ id: "2", at: 3_000, queue: "img", name: "img.scale", attempt: 2 }),
      record({ id: "3", at: 3_000, queue: "img", outcome: "timed-out", state: "dead" }),
    ]);
    expect(await ids(store, { limit: 2 })).toEqual(["2", "3"]);
    expect(await ids(store, { id: "2" })).toEqual(["2", "2"]);
    expect(await ids(store, { queue: "mail" })).toEqual(["1"]);
    expect(await ids(store, { name: "img.scale", outcome: "failed" })).toEqual(["2"]);
    expect(await ids(store, { state: "dead" })).toEqual(["3"]);
    expect(await ids(store, { since: 3_000, queue: "img" })).toEqual(["2", "3"]);
    expect(await ids(store, { id: "nobody" })).toEqual([]);
  });

  test("two writers of one place, begun at once, keep out of each other's way", async () => {
    await using a = await opened();
    await using b = await opened();
    const batch = (prefix: string) =>
      Array.from({ length: 100 }, (_, i) => record({ id: `${prefix}${i}`, at: i }));
    const writeAll = async (store: RecordHandler, prefix: string): Promise<void> => {
      for (let round = 0; round < 3; round += 1) await store.write(batch(prefix));
    };
    await Promise.all([writeAll(a, "a"), writeAll(b, "b")]);
    expect(await ids(a, { limit: 1_000 })).toHaveLength(600);
  });

  test("what is kept long enough is deleted, and nothing else", async () => {
    const { prunesByRecord } = make();
    if (!prunesByRecord) return;
    await using store = await opened(10_000);
    await store.write([record({ id: "old", at: 1_000 }), record({ id: "new", at: 2_000 })]);
    await store.prune?.(11_500);
    expect(await ids(store)).toEqual(["new"]);
    await store.prune?.(11_500);
    expect(await ids(store)).toEqual(["new"]);
  });
}
