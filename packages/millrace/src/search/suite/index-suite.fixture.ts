import fc from "fast-check";
import { expect, test } from "vitest";
import { filterTest } from "../../filter/filter-test.ts";
import { NOW, payloads, treesOf, written } from "../../filter/filter.fixture.ts";
import { INDEX_FIELDS, type IndexedJob } from "../indexed-job.ts";
import type { EndedHow, News } from "../index-calls.ts";
import { type MakeIndex, OpenedIndex } from "./opened-index.fixture.ts";

const word = fc.stringMatching(/^[abAB1]{1,4}$/);
const optional = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(of, { nil: undefined });

const jobs: fc.Arbitrary<IndexedJob> = fc
  .record({
    id: word,
    queue: fc.constantFrom("a", "A", "b1"),
    name: word,
    state: fc.constantFrom("queued", "succeeded", "dead", "requeued"),
    attempts: fc.nat({ max: 4 }),
    at: fc.integer({ min: NOW - 7_200_000, max: NOW }),
    createdAt: fc.constant(1),
    node: optional(word),
    durationMs: optional(fc.integer({ min: 0, max: 4_000 })),
    error: optional(fc.record({ type: word, message: fc.string({ maxLength: 8 }) })),
    reason: optional(word),
    tags: optional(fc.array(word, { minLength: 1, maxLength: 2 })),
    payload: optional(payloads),
    fingerprints: optional(fc.constantFrom(["a"], ["b1"], ["ab"])),
  })
  .map(
    (job) =>
      Object.fromEntries(
        Object.entries(job).filter(([, value]) => value !== undefined),
      ) as unknown as IndexedJob,
  );

const trees = treesOf([
  "id",
  "queue",
  "name",
  "state",
  "error",
  "message",
  "reason",
  "tag",
  "node",
  "fingerprint",
]);

/** What every index does alike, wherever it is kept. */
export function indexSuite(make: MakeIndex): void {
  test("what the index finds is what the filter says of each job, the newest first", async () => {
    await using store = await OpenedIndex.at(make);
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(jobs, { maxLength: 12, selector: ({ id, queue }) => `${queue}/${id}` }),
        fc.array(trees, { minLength: 1, maxLength: 8 }),
        async (all, asked) => {
          await store.clear();
          await store.write(all.flatMap((job, at) => newsOf(job, at)));
          for (const tree of asked) {
            const fits = filterTest(tree, NOW, INDEX_FIELDS);
            const filter = written(tree);
            const { jobs: found } = await store.search({ filter, limit: 100, now: NOW });
            expect(sorted(found), filter).toEqual(sorted(all.filter(fits)));
            expect(found.map(({ at }) => at)).toEqual(
              found.map(({ at }) => at).toSorted((a, b) => b - a),
            );
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test("whatever the order in which streams are read, the index is the same", async () => {
    const steps = fc.shuffledSubarray([...LIFE], {
      minLength: LIFE.length,
      maxLength: LIFE.length,
    });
    await using store = await OpenedIndex.at(make);
    const whole = await indexOf(store, LIFE);
    expect([...whole]).toEqual([
      expect.objectContaining({ state: "succeeded", attempts: 2, payload: { n: 2 } }),
    ]);
    await fc.assert(
      fc.asyncProperty(steps, async (shuffled) => {
        expect(await indexOf(store, shuffled)).toEqual(whole);
      }),
    );
  });

  test("what is older, and what is too much, is forgotten, the oldest first", async () => {
    await using store = await OpenedIndex.at(make);
    const many = Array.from({ length: 3_000 }, (_, at) => ({
      ...{ id: `j${at}`, queue: "a", name: "n", state: "dead" as const, attempts: 1, at },
      payload: { text: `${at} `.repeat(50) },
    }));
    await store.write(many.flatMap((job, at) => newsOf(job, at)));
    await store.prune(1_000, 0, Number.MAX_SAFE_INTEGER);
    expect(await store.size()).toMatchObject({ jobs: 2_000, oldestAt: 1_000 });
    const { bytes } = await store.size();
    await store.prune(0, 0, bytes / 2);
    const left = await store.size();
    expect(left.bytes).toBeLessThanOrEqual(bytes / 2);
    expect(left.jobs).toBeGreaterThan(0);
    expect(left.oldestAt).toBe(3_000 - left.jobs);
    expect((await store.search({ filter: '"2999 "', limit: 5, now: 0 })).jobs).toHaveLength(1);
    expect((await store.search({ filter: '"1500 "', limit: 5, now: 0 })).jobs).toEqual([]);
  });

  test("what lies in its queue no more is forgotten, and nothing of a queue that has the same letters", async () => {
    await using store = await OpenedIndex.at(make);
    const queued = (queue: string, position: number): News => ({
      ...{ kind: "arrival", id: `j${position}`, queue, createdAt: 1, life: 0, position },
      job: {
        ...{ id: `j${position}`, queue, name: "n", state: "queued", attempts: 0, at: position },
      },
    });
    await store.write(
      Array.from({ length: 2_500 }, (_, at) => queued(at === 0 ? "Mail" : "mail", at + 1)),
    );
    await store.dropGone("mail", 2_450, 2_499);
    expect(await store.size()).toMatchObject({ jobs: 51 });
    const { jobs } = await store.search({ limit: 100, now: 0, queue: "Mail" });
    expect(jobs).toMatchObject([{ id: "j1" }]);
  });

  test("attempts are counted by how they ended and how long they took, once each", async () => {
    await using store = await OpenedIndex.at(make);
    const ended = (n: number, how: EndedHow, durationMs: number): News => ({
      ...{ kind: "record", id: `j${n}`, queue: n % 2 === 0 ? "a" : "b", createdAt: 1, life: 0 },
      ...{ position: n, ended: how, ...(n < 2 ? {} : { waitedMs: n === 3 ? 90_000 : 20 }) },
      job: {
        ...{ id: `j${n}`, queue: n % 2 === 0 ? "a" : "b", name: "n", attempts: 1 },
        ...{ state: how === "failed" ? "requeued" : how, at: n * 30_000, durationMs },
      },
    });
    const news = Array.from({ length: 20 }, (_, n) =>
      ended(n, n < 16 ? "succeeded" : n < 18 ? "failed" : "dead", n === 19 ? 5_000 : 100),
    );
    await store.write(news);
    const [all, ...none] = await store.rates({ since: 0, stepMs: 600_000 });
    expect(none).toEqual([]);
    expect(all).toMatchObject({ at: 0, succeeded: 16, failed: 2, dead: 2 });
    expect(Math.abs((all?.p50Ms ?? 0) - 100)).toBeLessThan(10);
    expect(Math.abs((all?.waited?.p50Ms ?? 0) - 20)).toBeLessThan(2);
    const byMinute = await store.rates({ since: 0, stepMs: 60_000 });
    expect(byMinute).toHaveLength(10);
    // Those of the first minute were written by a version that did not tell.
    expect(byMinute[0]).not.toHaveProperty("waited");
    expect(Math.abs((byMinute[1]?.waited?.p95Ms ?? 0) - 90_000)).toBeLessThan(9_000);
    expect(await store.rates({ since: 0, stepMs: 600_000, queue: "b" })).toMatchObject([
      { succeeded: 8, failed: 1, dead: 1 },
    ]);
    expect(await store.rates({ since: 540_000, stepMs: 60_000 })).toMatchObject([
      { at: 540_000, dead: 2, succeeded: 0 },
    ]);
    await store.prune(300_000, 0, Number.MAX_SAFE_INTEGER);
    expect((await store.rates({ since: 0, stepMs: 60_000 }))[0]).toMatchObject({ at: 300_000 });
  });
}

/** One id, enqueued twice; the second time it fails once. */
const LIFE: readonly News[] = [
  record(5, 100, { state: "succeeded", attempts: 1 }),
  arrival(3, 100, { n: 1 }),
  {
    kind: "heard",
    id: "x",
    queue: "a",
    createdAt: 200,
    life: 0,
    at: 0,
    cargo: { payload: { n: 2 } },
  },
  arrival(9, 200, { n: 2 }),
  record(12, 200, { state: "requeued", attempts: 1 }),
  record(14, 200, { state: "succeeded", attempts: 2 }),
];

function record(
  position: number,
  createdAt: number,
  job: Pick<IndexedJob, "state" | "attempts">,
): News {
  return {
    ...{ kind: "record", id: "x", queue: "a", createdAt, life: 0, position },
    job: { id: "x", queue: "a", name: "n", at: position, ...job },
  };
}

function arrival(position: number, createdAt: number, payload: unknown): News {
  return {
    ...{ kind: "arrival", id: "x", queue: "a", createdAt, life: 0, position },
    job: { id: "x", queue: "a", name: "n", at: position, state: "queued", attempts: 0, payload },
  };
}

async function indexOf(store: OpenedIndex, news: readonly News[]): Promise<readonly IndexedJob[]> {
  await store.clear();
  for (const one of news) await store.write([one]);
  return (await store.search({ limit: 10, now: 0 })).jobs;
}

/** As an arrival it brings its payload, and as a record all the rest. */
function newsOf(job: IndexedJob, at: number): News[] {
  const { id, queue, payload, tags, fingerprints } = job;
  const [fingerprint] = fingerprints ?? [];
  const enqueue = { id, queue, createdAt: 1, life: 0 };
  const cargo = { ...(payload === undefined ? {} : { payload }), ...(tags && { tags }) };
  return [
    { kind: "arrival", position: at + 1, ...enqueue, job: { ...job, ...cargo } },
    {
      ...{ kind: "record", position: at + 1, ...enqueue, job },
      ...(fingerprint === undefined ? {} : { cause: { fingerprint, type: "", pattern: "" } }),
    },
  ];
}

function sorted(all: readonly IndexedJob[]): readonly IndexedJob[] {
  return all.toSorted((a, b) => `${a.queue}/${a.id}`.localeCompare(`${b.queue}/${b.id}`, "en"));
}
