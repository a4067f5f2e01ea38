import { openJobIndex, type JobIndex } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { ADA, BOB, charge, scene, type Scene, send } from "./scene.ts";

interface Found {
  readonly jobs: readonly { readonly id: string; readonly why?: string }[];
  readonly more: boolean;
}

async function indexed(user = ADA): Promise<Scene & { readonly index: JobIndex }> {
  let index: JobIndex | undefined;
  const of = await scene({
    user: () => user,
    search: async (t) => {
      index = await openJobIndex({
        ...{ broker: t.client.broker, mask: t.client.mask, clock: t.clock },
      });
      return index;
    },
  });
  if (index === undefined) throw new Error("no index");
  const made = index;
  onTestFinished(() => made.close());
  for (let n = 0; n < 12; n += 1)
    await of.t.enqueue(charge, { n, apiKey: `k-${n}` }, { id: `c${n}` });
  await of.t.enqueue(send, { n: 3 }, { id: "s3" });
  await of.t.drain();
  await made.caughtUp();
  return { ...of, index: made };
}

const ids = ({ jobs }: Found): readonly string[] => jobs.map(({ id }) => id).toSorted();
const asked = (filter: string, rest = ""): string =>
  `jobs?filter=${encodeURIComponent(filter)}${rest}`;

/** How a filter may go on. */
async function next(get: Scene["get"], filter: string, rest = ""): Promise<readonly string[]> {
  const path = `jobs/completions?filter=${encodeURIComponent(filter)}${rest}`;
  const all = await get<readonly { readonly filter: string }[]>(path);
  return all.map((one) => one.filter);
}

test("jobs are found by what they were given, in the language of filters, and by no secret", async () => {
  const { get } = await indexed();
  expect(await get("session")).toMatchObject({ search: true });
  expect(ids(await get<Found>(asked("payload.n:3")))).toEqual(["c3", "s3"]);
  expect(ids(await get<Found>(asked("payload.n:3 -queue:mail")))).toEqual(["c3"]);
  expect(ids(await get<Found>(asked("payload.n>=10 OR name:mail.*")))).toEqual([
    ...["c10", "c11", "s3"],
  ]);
  const found = await get<Found>(asked("payload.n:3 OR payload.n:4", "&name=charge&state=dead"));
  expect(ids(found)).toEqual(["c3", "c4"]);
  expect(ids(await get<Found>(asked("payload~k-3")))).toEqual([]);
  expect(JSON.stringify(found)).not.toContain("s3cr3t-value");
  expect(await get<Found>("jobs?limit=5")).toMatchObject({ more: true });
  await expect(get(asked("payload.n:3 (id:x"))).rejects.toThrow(
    /400.*invalid-filter.*at character 13/,
  );
});

test("what waits is found by what it carries, and the page is told how far that was looked for", async () => {
  const { get, post, t } = await indexed();
  await t.enqueue(charge, { n: 42, apiKey: "k-123456" }, { id: "later", delay: "1h" });
  await t.clock.advance("1s");
  await t.client.queues.pause("mail");
  for (let n = 0; n < 3; n += 1)
    await t.client.enqueue(send, { n }, { id: `w${n}`, tags: [n === 1 ? "vip" : "plain"] });
  const found = (filter: string, rest: string): Promise<Found> => get<Found>(asked(filter, rest));
  expect(await found("payload.n:1 OR tag:none", "&state=queued")).toMatchObject({
    ...{ jobs: [{ id: "w1" }], looked: 3, more: false },
  });
  expect(ids(await found("tag:vip OR payload.n=2", "&state=queued&name=SEND"))).toEqual([
    "w1",
    "w2",
  ]);
  expect(ids(await found("tag:vip", "&state=queued&name=charge"))).toEqual([]);
  expect(ids(await found("payload.n>40", "&state=delayed"))).toEqual(["later"]);
  expect(ids(await found("payload~k-1 OR k-123456", "&state=delayed"))).toEqual([]);
  expect(await found("payload.n>=0", "&state=queued&limit=1")).toMatchObject({
    ...{ jobs: [{ id: "w0" }], looked: 1, more: true },
  });
  const filter = { state: "queued", queue: "mail", where: "tag:vip" };
  const begun = await post("operations", { kind: "jobs-cancel", filter });
  expect(await begun.json()).toMatchObject({ count: 1 });
});

test("jobs that match are counted, and the dead ones of them are retried by an operation", async () => {
  const { get, post, bankIs, t } = await indexed();
  const count = (query: string): Promise<unknown> => get(`jobs/count?${query}`);
  expect(await count(`filter=${encodeURIComponent("payload.n<5")}`)).toEqual({
    ...{ count: 6, more: false },
  });
  expect(await count("state=dead&name=charge")).toEqual({ count: 12, more: false });
  expect(await count("state=succeeded&queue=mail")).toEqual({ count: 1, more: false });
  const target = { kind: "dead-retry", filter: { where: "state=dead (payload.n<5)" } };
  const asked = `operations/count?target=${encodeURIComponent(JSON.stringify(target))}`;
  expect(await get(asked)).toEqual({ count: 5 });
  bankIs("up");
  expect((await post("operations", target)).status).toBe(200);
  await t.clock.advance("10s");
  await t.drain();
  expect(await t.deadLetters()).toHaveLength(7);
  expect(await get(asked)).toEqual({ count: 0 });
});

test("a filter is completed by fields, states, names and paths of payloads", async () => {
  const { get } = await indexed();
  expect(await next(get, "payload.")).toEqual(["payload.apiKey:", "payload.n:"]);
  expect(await next(get, "state:d")).toEqual(["state:dead"]);
  expect(await next(get, "-name:b")).toEqual(["-name:billing.charge"]);
  expect(await next(get, "error:")).toEqual(["error:CardDeclined"]);
});

test("a filter of jobs in a state now is completed by what those have, without an index too", async () => {
  const { get, t } = await scene();
  await t.enqueue(send, { n: 1 }, { id: "later", delay: "1h", tags: ["vip"] });
  await t.clock.advance("1s");
  expect(await next(get, "tag:", "&state=delayed")).toEqual(["tag:vip"]);
  expect(await next(get, "-payload.", "&state=delayed&queue=mail")).toEqual(["-payload.n:"]);
  expect(await next(get, "tag:", "&state=delayed&queue=billing")).toEqual([]);
  expect(await next(get, "err", "&state=delayed")).toEqual([]);
  await expect(next(get, "err", "&state=dead")).rejects.toThrow(/index of jobs/);
  const { get: search } = await indexed();
  expect(await search("jobs/completions?state=dead&filter=err")).toMatchObject([
    { filter: "error:" },
  ]);
});

test("how far the index is can be seen by all; an operator has it made anew, which is in the audit", async () => {
  const { t, get, post, index } = await indexed();
  expect(await get("search")).toMatchObject({
    ...{ state: "following", behind: 0, jobs: 13 },
    position: (await t.broker.history.stretch({ after: 0, limit: 1 })).newest,
  });
  expect((await post("search/rebuild", {})).status).toBe(200);
  await index.caughtUp();
  expect(await get("search")).toMatchObject({ state: "following", behind: 0, jobs: 13 });
  expect(await get("audit")).toMatchObject([{ action: "index rebuild", by: ADA.name }]);
  // Dead letters have what they were given; a success has it no more.
  expect(ids(await get<Found>(asked("payload.n:3")))).toEqual(["c3"]);
});

test("a viewer searches, and has nothing made anew; without an index it is said", async () => {
  const { get, post } = await indexed(BOB);
  expect(ids(await get<Found>(asked("payload.n:3")))).toEqual(["c3", "s3"]);
  expect((await post("search/rebuild", {})).status).toBe(403);
  const without = await scene();
  expect(await without.get("session")).toMatchObject({ search: false });
  await expect(without.get("search")).rejects.toThrow(/400.*no index of jobs/);
  await expect(without.get(asked("payload.n:3"))).rejects.toThrow(/400.*ask a job index/);
});

test("plots say how attempts ended and how the fleet was, by range and queue", async () => {
  const { get, t } = await indexed();
  await t.enqueue(send, { n: 1 }, { delay: "3h" });
  await t.clock.advance("5m");
  const view = await get<{
    readonly ended: Readonly<Record<string, readonly number[]>>;
    readonly sampled: Readonly<Record<string, readonly (number | null)[]>>;
  }>("plots?range=1h");
  const sum = (values: readonly number[] = []): number => values.reduce((a, b) => a + b, 0);
  // Twelve died at their second attempt, and one was sent.
  expect(sum(view.ended["failed"])).toBe(12);
  expect(sum(view.ended["dead"])).toBe(12);
  expect(sum(view.ended["succeeded"])).toBe(1);
  for (const field of ["p50Ms", "p95Ms", "waited50Ms", "waited95Ms"]) {
    expect(view.ended[field]).toHaveLength(view.ended["at"]?.length ?? 0);
    expect(view.ended[field]?.some((value) => value !== null)).toBe(true);
  }
  const last = (field: string): number | null | undefined =>
    view.sampled[field]?.filter((value) => value !== null).at(-1);
  expect([last("dead"), last("delayed"), last("queued")]).toEqual([12, 1, 0]);
  expect(last("slots")).toBeGreaterThan(0);
  for (const values of Object.values(view.sampled))
    expect(values).toHaveLength(view.sampled["at"]?.length ?? 0);
  const mail = await get<typeof view>("plots?range=6h&queue=mail");
  expect([sum(mail.ended["dead"]), sum(mail.ended["succeeded"])]).toEqual([0, 1]);
  // Of the last minutes only those in which they were.
  const short = await get<typeof view>("plots?range=15m");
  expect(short.ended["at"]).toHaveLength(15);
  expect(sum(short.ended["dead"])).toBe(12);
  expect(sum((await get<typeof view>("plots?range=5m")).ended["at"]?.map(() => 1))).toBe(5);
  await expect(get("plots?range=constructor")).rejects.toThrow(
    /400.*range: must be one of 5m, 15m, 1h/,
  );
  // Of each queue what waited, in a few parts of the time; and of none in which nothing did.
  await t.client.queues.pause("mail");
  for (let n = 0; n < 3; n += 1) await t.enqueue(send, { n });
  await t.clock.advance("5m");
  const { queues } = await get<{
    readonly queues: Readonly<Record<string, Readonly<Record<string, (number | null)[]>>>>;
  }>("plots?range=1h");
  expect(Object.keys(queues)).toContain("mail");
  expect(queues["mail"]?.["queued"]).toHaveLength(20);
  expect(Math.max(...(queues["mail"]?.["queued"] ?? []).map((value) => value ?? 0))).toBe(3);
  expect(queues["mail"]?.["oldestAgeMs"]?.at(-1)).toBeGreaterThan(10_000);
  expect(await get("plots?range=1h&queue=mail")).not.toHaveProperty("queues");
  const bare = await scene();
  expect(await bare.get("plots?range=7d")).not.toHaveProperty("ended");
});
