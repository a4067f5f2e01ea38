import { expect, test } from "vitest";
import type { News } from "../index-calls.ts";
import { type MakeIndex, OpenedIndex } from "./opened-index.fixture.ts";

const KIB = 1_024;
const MIB = KIB * KIB;
const text = "x".repeat(10 * KIB);

const arrived = (count: number): readonly News[] =>
  Array.from({ length: count }, (_, n) => {
    const enqueue = { id: `j${n}`, queue: "a", createdAt: 1, life: 0 };
    const job = {
      id: `j${n}`,
      queue: "a",
      name: "n",
      state: "queued",
      attempts: 0,
      at: n,
    } as const;
    return { kind: "arrival", position: n + 1, ...enqueue, job: { ...job, payload: { n } } };
  });

/** As a producer's that a full queue refuses. */
const refused = (count: number, from = 0): readonly News[] =>
  Array.from({ length: count }, (_, n) => ({
    ...{ kind: "heard", id: `r${from + n}`, queue: "a", createdAt: 1, life: 0, at: from + n },
    cargo: { payload: { text } },
  }));

/** What every index does alike with what was published and is in no stream yet. */
export function heardSuite(make: MakeIndex): void {
  test("what a full queue refuses takes no more than its part of an index, and no job goes for it", async () => {
    await using store = await OpenedIndex.at(make, 8 * MIB);
    await store.write(arrived(500));
    const before = await store.size();
    for (let part = 0; part < 20; part += 1) await store.write(refused(100, part * 100));
    // A quarter of what is allowed; 20 MiB were heard.
    expect((await store.size()).bytes - before.bytes).toBeLessThan(4 * MIB);
    await store.prune(0, 0, 8 * MIB);
    expect((await store.size()).jobs).toBe(500);
  });

  test("where an index is too large, what was heard goes before its jobs", async () => {
    await using store = await OpenedIndex.at(make);
    await store.write(arrived(500));
    const { bytes } = await store.size();
    await store.write(refused(300));
    await store.prune(0, 0, bytes + MIB);
    expect(await store.size()).toMatchObject({ jobs: 500 });
    expect((await store.size()).bytes).toBeLessThanOrEqual(bytes + MIB);
  });

  test("the newest that was heard is known after the oldest had to go", async () => {
    await using store = await OpenedIndex.at(make, 8 * MIB);
    await store.write(refused(1_000));
    for (const id of ["r0", "r999"])
      await store.write([
        {
          ...{ kind: "record", id, queue: "a", createdAt: 1, life: 0, position: 1 },
          job: { id, queue: "a", name: "n", at: 1, state: "succeeded", attempts: 1 },
        },
      ]);
    const { jobs } = await store.search({ limit: 10, now: 0 });
    expect(new Map(jobs.map(({ id, payload }) => [id, payload]))).toEqual(
      new Map([
        ["r0", undefined],
        ["r999", { text }],
      ]),
    );
  });
}
