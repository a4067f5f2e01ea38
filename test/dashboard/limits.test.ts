import { defineJob } from "millrace";
import { describe, expect, onTestFinished, test } from "vitest";
import type { HoldAnswerView } from "../../packages/dashboard/src/api/views/hold-views.ts";
import type { LimitsPageView } from "../../packages/dashboard/src/api/views/limits-views.ts";
import type { JobsView } from "../../packages/dashboard/src/api/views/job-list-views.ts";
import type { AuditView } from "../../packages/dashboard/src/api/views/views.ts";
import { ADA, BOB, OF_THE_PAGE, type Scene, scene, send } from "./scene.ts";

const close = defineJob<string>({ name: "books.close", queue: "books", singleton: true });

/** A job that runs alone until the test ends, and two that wait for it. */
async function blocked(user = ADA): Promise<Scene> {
  const end = Promise.withResolvers<void>();
  const of = await scene({ user: () => user, jobs: [close.handler(() => end.promise)] });
  onTestFinished(() => end.resolve());
  for (const id of ["b-1", "b-2", "b-3"]) await of.t.enqueue(close, id, { id });
  await of.t.clock.advance("1s");
  return of;
}

describe("limits and locks", () => {
  test("are told with who holds what, and what waits because of it", async () => {
    const { get, t } = await blocked();
    await t.client.queues.set("books", {
      ...{ concurrency: 5, rate: { limit: 100, per: "1s" }, maxJobs: 1_000 },
    });
    const [lock] = await t.client.locks.list({ prefix: "singleton/" });
    expect(await get("limits")).toMatchObject({
      gates: [
        {
          ...{
            queue: "books",
            gate: "singleton/books.close",
            jobs: 2,
            holders: [{ holder: lock?.holder, since: lock?.since }],
          },
          next: { id: "b-2", name: "books.close" },
        },
      ],
      queues: [
        {
          ...{ queue: "books", concurrency: 5, rate: { limit: 100, perMs: 1_000 } },
          size: { maxJobs: 1_000 },
        },
      ],
      locks: expect.arrayContaining([
        expect.objectContaining({ name: "singleton/books.close", holder: lock?.holder }),
      ]) as object,
    });
  });

  test("a lock says who waits for it in a process, those who have waited longest first", async () => {
    const { get, t } = await blocked();
    const { locks } = t.client.broker;
    const waiters = [9_000, 3_000, 1_000, 7_000, 5_000, 2_000, 4_000].map((since) => ({
      ...{ holder: `web-${since}`, since },
    }));
    for (const waiter of waiters) {
      const waiting = await locks.onRelease("singleton/books.close", () => {}, waiter);
      onTestFinished(() => waiting.stop());
    }
    const first = waiters.toSorted((a, b) => a.since - b.since).slice(0, 5);
    expect(await get("limits")).toMatchObject({
      locks: expect.arrayContaining([
        expect.objectContaining({
          ...{ name: "singleton/books.close", waiting: { count: 7, first } },
        }),
      ]) as object,
    });
  });

  test("a queue says at which of them its jobs are blocked, and who has what they wait for", async () => {
    const { get, t } = await blocked();
    expect(await get("queues/books")).toMatchObject({
      queue: { blocked: 2 },
      gates: [{ gate: "singleton/books.close", jobs: 2, holders: [{ holder: t.node.name }] }],
    });
    expect(await get("queues/mail")).toMatchObject({ queue: { blocked: 0 }, gates: [] });
  });

  test("a job that is blocked says which limit it waits for, and which job of which node has it", async () => {
    const { get, t } = await blocked();
    expect(await get("jobs/books/b-3/hold")).toEqual({
      hold: {
        ...{ kind: "gate", gate: "singleton/books.close", limit: "singleton", key: "books.close" },
        ...{ since: expect.any(Number) as number, before: 1, waiting: 2 },
        locks: [
          {
            ...{ name: "singleton/books.close", holder: t.node.name },
            since: expect.any(Number) as number,
          },
        ],
        jobs: [
          {
            ...{ id: "b-1", queue: "books", name: "books.close", node: t.node.name },
            startedAt: expect.any(Number) as number,
          },
        ],
      },
    });
    expect(await get("jobs/books/b-1/hold")).toEqual({});
  });

  test("a job that waits for its queue says who paused it and why, masked; a viewer may look", async () => {
    const { get, t } = await blocked(BOB);
    await t.client.queues.pause("mail", { by: "ada", reason: "token=s3cr3t-value is leaked" });
    await t.enqueue(send, { n: 1 }, { id: "m-1" });
    const { hold } = await get<HoldAnswerView>("jobs/mail/m-1/hold");
    expect(hold).toMatchObject({ kind: "paused", by: "ada" });
    expect(JSON.stringify(hold)).not.toContain("s3cr3t");
  });

  test("a limit is set, another stays, and one is taken away; each is in the audit", async () => {
    const { get, post, t } = await blocked();
    const set = (body: object): Promise<Response> => post("queues/books/set", body);
    const written = { concurrency: "5", rate: "10/1m", keyRate: " 2/1s ", maxJobs: "" };
    expect((await set(written)).status).toBe(200);
    expect(await t.client.queues.controls("books")).toEqual({
      ...{ concurrency: 5, rate: { limit: 10, perMs: 60_000 } },
      perKey: { rate: { limit: 2, perMs: 1_000 } },
    });
    expect((await set({ rate: "none", maxJobs: "50" })).status).toBe(200);
    expect(await t.client.queues.controls("books")).toMatchObject({ concurrency: 5 });
    expect(await t.client.queues.controls("books")).not.toHaveProperty("rate");
    expect(await get("queues/books")).toMatchObject({ queue: { maxJobs: 50 } });
    expect(await get("audit")).toMatchObject([
      { action: "queues set", by: ADA.name, which: expect.stringContaining('"rate":null') },
      { action: "queues set", by: ADA.name, which: expect.stringContaining('"concurrency":5') },
    ]);
  });

  test.each([
    ["nothing", {}],
    ["nothing but blanks", { concurrency: " ", rate: "" }],
    ["a number", { concurrency: 5 }],
    ["zero", { concurrency: "0" }],
    ["less than one", { maxJobs: "-1" }],
    ["a part of one", { concurrency: "1.5" }],
    ["too much", { concurrency: "9".repeat(30) }],
    ["a rate without a time", { rate: "100" }],
    ["a rate of another time", { rate: "100/1y" }],
    ["a misspelt limit", { concurency: "5", rate: "1/1s" }],
    ["a prototype", JSON.parse('{"__proto__":{"concurrency":"5"}}') as object],
  ])("are not set by %s", async (_what, body) => {
    const { get, post, t } = await blocked();
    expect((await post("queues/books/set", body)).status).toBe(400);
    expect(await t.client.queues.controls("books")).toEqual({});
    expect(await get("audit")).toEqual([]);
  });

  test("a lock is released of the holder that was seen, and of no other", async () => {
    const { get, post, t } = await blocked();
    const [{ name, holder } = { name: "", holder: "" }] = await t.client.locks.list({
      prefix: "singleton/",
    });
    const other = await post("locks/release", { name, holder: "somebody-else" });
    expect(await other.json()).toMatchObject({ count: 0, failed: [{ id: name }] });
    expect(await t.client.locks.list({ prefix: "singleton/" })).toHaveLength(1);
    expect(await (await post("locks/release", { name, holder })).json()).toEqual({
      ...{ count: 1, failed: [] },
    });
    for (const body of [{ name }, { holder }, { name: 7, holder }, {}])
      expect((await post("locks/release", body)).status).toBe(400);
    expect(await get("audit")).toMatchObject([
      { action: "locks release", by: ADA.name, outcome: "1 done" },
      { action: "locks release", by: ADA.name, outcome: "0 done" },
    ]);
  });

  test("a key that is a secret is shown masked in each list, and its lock is released all the same", async () => {
    const end = Promise.withResolvers<void>();
    const keyed = defineJob<string>({
      ...{ name: "books.keyed", queue: "keyed" },
      concurrency: { key: (secret: string) => secret, limit: 1 },
    });
    const { get, post, t } = await scene({ jobs: [keyed.handler(() => end.promise)] });
    onTestFinished(() => end.resolve());
    const secret = ["AKIA", "IOSFODNN7EXAMPLE"].join("");
    for (const id of ["k-1", "k-2"]) await t.enqueue(keyed, secret, { id });
    await t.clock.advance("1s");
    const { locks, gates } = await get<LimitsPageView>("limits");
    const list = await get<JobsView>("jobs?state=blocked");
    expect(gates).toHaveLength(1);
    expect(list.jobs).toMatchObject([{ id: "k-2" }]);
    expect(JSON.stringify([locks, gates, list])).not.toContain(secret);
    const shown = locks.find(({ name }) => name.startsWith("cap/keyed/"));
    expect(shown).toBeDefined();
    const released = await post("locks/release", { name: shown?.name, holder: shown?.holder });
    expect(await released.json()).toEqual({ count: 1, failed: [] });
    const audit = await get<readonly AuditView[]>("audit");
    expect(audit).toMatchObject([{ action: "locks release", outcome: "1 done" }]);
    expect(JSON.stringify(audit)).not.toContain(secret);
  });

  test("are neither set nor released by a viewer or by another site", async () => {
    const viewed = await blocked(BOB);
    const owned = await blocked();
    const [{ name, holder } = { name: "", holder: "" }] = await owned.t.client.locks.list();
    const cross = { ...OF_THE_PAGE, "sec-fetch-site": "cross-site" };
    for (const [path, body] of [
      ["queues/books/set", { concurrency: "1" }],
      ["locks/release", { name, holder }],
    ] as const) {
      expect((await viewed.post(path, body)).status, path).toBe(403);
      expect((await owned.post(path, body, cross)).status, path).toBe(403);
    }
    for (const { get, t } of [viewed, owned]) {
      expect(await t.client.queues.controls("books")).toEqual({});
      expect(await get("audit")).toEqual([]);
    }
  });
});
