import { expect, test } from "vitest";
import { NOTHING_READ, type News } from "./index-calls.ts";
import { IndexStore } from "./index-store.ts";

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

test("what a full queue refuses takes no more than its part of an index, and no job goes for it", () => {
  const store = IndexStore.open("", "", 8 * MIB);
  store.write(arrived(500), NOTHING_READ);
  const before = store.size();
  for (let part = 0; part < 20; part += 1) store.write(refused(100, part * 100), NOTHING_READ);
  // A quarter of what is allowed; 20 MiB were heard.
  expect(store.size().bytes - before.bytes).toBeLessThan(4 * MIB);
  store.prune(0, 0, 8 * MIB);
  expect(store.size().jobs).toBe(500);
  store.close();
});

test("where an index is too large, what was heard goes before its jobs", () => {
  const store = IndexStore.open("", "");
  store.write(arrived(500), NOTHING_READ);
  const { bytes } = store.size();
  store.write(refused(300), NOTHING_READ);
  store.prune(0, 0, bytes + MIB);
  expect(store.size()).toMatchObject({ jobs: 500 });
  expect(store.size().bytes).toBeLessThanOrEqual(bytes + MIB);
  store.close();
});

test("the newest that was heard is known after the oldest had to go", () => {
  const store = IndexStore.open("", "", 8 * MIB);
  store.write(refused(1_000), NOTHING_READ);
  for (const id of ["r0", "r999"])
    store.write(
      [
        {
          ...{ kind: "record", id, queue: "a", createdAt: 1, life: 0, position: 1 },
          job: { id, queue: "a", name: "n", at: 1, state: "succeeded", attempts: 1 },
        },
      ],
      NOTHING_READ,
    );
  const { jobs } = store.search({ limit: 10, now: 0 });
  expect(new Map(jobs.map(({ id, payload }) => [id, payload]))).toEqual(
    new Map([
      ["r0", undefined],
      ["r999", { text }],
    ]),
  );
  store.close();
});
