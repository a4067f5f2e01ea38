import type { FailureGroup, HistoryRecord } from "@millrace/core";
import { createMask, showValue } from "@millrace/telemetry/masking";
import { expect, onTestFinished, test } from "vitest";
import type { AskedFailures } from "../failures-query.ts";
import { recordNews } from "../news-of.ts";
import { type MakeIndex, OpenedIndex } from "./opened-index.fixture.ts";

const HOUR_MS = 3_600_000;
const SHOW = showValue(false, createMask());

interface Attempt {
  readonly id: string;
  readonly at: number;
  readonly message?: string;
  readonly more?: Partial<HistoryRecord>;
}

/** An index, and how attempts are told to it: one without a message succeeds. */
async function filled(make: MakeIndex): Promise<{
  readonly store: OpenedIndex;
  readonly learn: (attempts: readonly Attempt[]) => Promise<boolean>;
  readonly causes: (query?: Partial<AskedFailures>) => Promise<readonly FailureGroup[]>;
  readonly jobsOf: (filter: string) => Promise<readonly string[]>;
}> {
  const store = await OpenedIndex.at(make);
  onTestFinished(() => store[Symbol.asyncDispose]());
  let position = 0;
  return {
    store,
    learn: (attempts) =>
      store.write(
        attempts.map(({ id, at, message, more }) =>
          recordNews(
            {
              position: (position += 1),
              storedAt: at,
              record: {
                ...{ id, queue: "mail", name: "send", node: "web-1", at, createdAt: 1 },
                ...{ attempts: 1, generation: 0 },
                ...(message === undefined
                  ? { state: "succeeded", outcome: "succeeded" }
                  : {
                      ...{ state: "requeued", outcome: "failed" },
                      error: { type: "TimeoutError", message },
                    }),
                ...more,
              },
            },
            SHOW,
          ),
        ),
      ),
    causes: (query = {}) => store.failures({ limit: 500, now: 10 * HOUR_MS, ...query }),
    jobsOf: async (filter) => {
      const { jobs } = await store.search({ filter, limit: 100, now: 0 });
      return jobs.map(({ id }) => id).toSorted();
    },
  };
}

const DEAD = { state: "dead", outcome: "failed", reason: "attempts-exhausted" } as const;

/** What every index counts alike of what attempts failed of. */
export function causesSuite(make: MakeIndex): void {
  test("a job that failed twice and then succeeded is a cause with two failures of one job", async () => {
    const { learn, causes, jobsOf } = await filled(make);
    await learn([
      { id: "a", at: 20, message: "after 7 s", more: { traceId: "7".repeat(32) } },
      { id: "a", at: 10, message: "after 5 s", more: { traceId: "5".repeat(32) } },
      { id: "a", at: 30 },
      { id: "fine", at: 40 },
    ]);
    const [cause, ...none] = await causes();
    expect(none).toEqual([]);
    expect(cause).toEqual({
      ...{ queue: "mail", name: "send", error: "TimeoutError", pattern: "after *" },
      fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/) as string,
      ...{ failures: 2, died: 0, jobs: 1, firstAt: 10, lastAt: 20 },
      perHour: [{ at: 0, failures: 2, died: 0 }],
      ...{ nodes: [{ node: "web-1", count: 2 }], nodeCount: 1 },
      ...{ lastId: "a", lastTraceId: "7".repeat(32), message: "after 7 s" },
    });
    const { fingerprint = "" } = cause ?? {};
    expect(await jobsOf(`fingerprint:${fingerprint}`)).toEqual(["a"]);
    expect(await jobsOf(`fingerprint=${fingerprint} state:succeeded`)).toEqual(["a"]);
    expect(await jobsOf(`-fingerprint:${fingerprint}`)).toEqual(["fine"]);
    expect(await jobsOf(`fingerprint~${fingerprint.slice(1, 5)}`)).toEqual(["a"]);
    expect(await jobsOf("fingerprint:000000000000")).toEqual([]);
  });

  test("causes are counted by hour and node, those that died too, and each job of them once", async () => {
    const { learn, causes } = await filled(make);
    await learn([
      { id: "a", at: 1, message: "after 5 s" },
      { id: "b", at: 2, message: "after 5 s", more: { node: "web-2" } },
      { id: "a", at: HOUR_MS, message: "after 5 s", more: DEAD },
      { id: "c", at: 3, message: "no route" },
      { id: "d", at: 4, message: "after 5 s", more: { queue: "img" } },
      // Nobody threw anything.
      { id: "e", at: 5, more: { state: "dead", outcome: "expired", reason: "expired" } },
      { id: "f", at: 6, more: { state: "requeued", outcome: "snoozed" } },
    ]);
    const [most, ...rest] = await causes();
    expect(most).toMatchObject({
      ...{ queue: "mail", failures: 3, died: 1, jobs: 2, lastId: "a" },
      perHour: [
        { at: 0, failures: 2, died: 0 },
        { at: HOUR_MS, failures: 1, died: 1 },
      ],
      nodes: [
        { node: "web-1", count: 2 },
        { node: "web-2", count: 1 },
      ],
    });
    expect(rest.map(({ queue, pattern, failures }) => [queue, pattern, failures])).toEqual([
      ["img", "after *", 1],
      ["mail", "no route", 1],
    ]);
    expect(await causes({ queue: "img" })).toHaveLength(1);
    expect(await causes({ limit: 1 })).toEqual([most]);
    expect(await causes({ fingerprints: [most?.fingerprint ?? ""] })).toHaveLength(2);
    expect(await causes({ fingerprints: [] })).toEqual([]);
    expect(await causes({ where: "node:web-2" })).toEqual([most]);
    expect(await causes({ where: 'message~"no route" -queue:img' })).toHaveLength(1);
    expect(await causes({ where: "age<570m" })).toEqual([most]);
    await expect(causes({ where: "payload.n:1" })).rejects.toThrow(/no payload/);
  });

  test("another enqueue of an id has failed of nothing yet; another life of a dead job still has", async () => {
    const { learn, causes, jobsOf } = await filled(make);
    const failed = { id: "a", at: 10, message: "after 5 s", more: DEAD };
    await learn([failed, { ...failed, id: "b" }]);
    await learn([
      { id: "a", at: 20, more: { createdAt: 2 } },
      { id: "b", at: 20, more: { life: 1 } },
    ]);
    const [cause] = await causes();
    expect(cause).toMatchObject({ failures: 2, died: 2, jobs: 1 });
    expect(await jobsOf(`fingerprint:${cause?.fingerprint ?? ""}`)).toEqual(["b"]);
  });

  test("no secret of a message is in a cause, and none can be tried out by its fingerprint", async () => {
    const { learn, causes } = await filled(make);
    await learn([
      { id: "a", at: 1, message: "token=s3cr3t-value" },
      { id: "b", at: 2, message: "token=an-other-one" },
    ]);
    expect(await causes()).toMatchObject([
      { failures: 2, pattern: "token=***", message: "token=***" },
    ]);
  });

  test("what is older is forgotten by the hour, and a cause with its last job", async () => {
    const { store, learn, causes } = await filled(make);
    await learn([
      { id: "a", at: 1, message: "after 5 s", more: DEAD },
      { id: "b", at: 2 * HOUR_MS, message: "after 5 s" },
      { id: "c", at: 2, message: "no route" },
      // It waits for long, and may still be found by what it failed of.
      { id: "late", at: 3, message: "no space" },
      { id: "late", at: 4 * HOUR_MS },
    ]);
    expect(await causes()).toHaveLength(3);
    await store.prune(HOUR_MS, 0, Number.MAX_SAFE_INTEGER);
    expect(await causes()).toMatchObject([
      { failures: 1, died: 0, jobs: 1, firstAt: HOUR_MS, perHour: [{ at: 2 * HOUR_MS }] },
    ]);
    await learn([{ id: "late", at: 5 * HOUR_MS, message: "no space", more: { life: 1 } }]);
    expect(await causes({ where: "no space" })).toMatchObject([
      { failures: 1, jobs: 1, firstAt: 5 * HOUR_MS },
    ]);
    await store.prune(9 * HOUR_MS, 0, Number.MAX_SAFE_INTEGER);
    expect(await causes()).toEqual([]);
  });

  test("messages that never repeat make no index larger than it may be", async () => {
    const { store, learn, causes } = await filled(make);
    const word = (n: number): string =>
      String(n).replaceAll(/\d/g, (digit) => "ghijklmnop".charAt(Number(digit)));
    await learn(
      Array.from({ length: 3_000 }, (_, n) => ({
        ...{ id: `j${n}`, at: n * HOUR_MS, message: `no ${word(n)} here` },
      })),
    );
    const { bytes } = await store.size();
    await store.prune(0, 0, bytes / 2);
    const left = await store.size();
    expect(left.bytes).toBeLessThanOrEqual(bytes / 2);
    const most = await causes({ limit: 10_000 });
    expect(most).toHaveLength(left.jobs);
    expect(most.every(({ jobs }) => jobs === 1)).toBe(true);
  });

  test("of a job with more causes than the index knows, nobody says that it did not fail of another", async () => {
    const { learn, jobsOf } = await filled(make);
    const words = Array.from({ length: 51 }, (_, n) => "ghijklmnop".charAt(n % 10).repeat(n + 1));
    await learn(words.map((message, at) => ({ id: "many", at, message })));
    await learn([{ id: "few", at: 100, message: "no route" }]);
    expect(await jobsOf("-fingerprint:000000000000")).toEqual(["few"]);
    expect(await jobsOf("fingerprint!=000000000000")).toEqual(["few"]);
  });
}
