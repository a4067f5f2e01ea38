import { connect, defineJob } from "millrace";
import { createDashboard } from "millrace/dashboard";
import { expect, onTestFinished, test } from "vitest";
import { ADA, BOB, charge, ORIGIN, type Scene, scene } from "./scene.ts";

/** Ten dead letters; every other one with a key. */
async function letters(): Promise<Scene> {
  const of = await scene();
  for (let n = 0; n < 10; n += 1)
    await of.t.enqueue(
      charge,
      { n, ...(n % 2 === 0 ? { apiKey: "k-123456" } : {}) },
      { id: `c-${n}` },
    );
  await of.t.drain();
  return of;
}

const asked = (value: object | string): string =>
  encodeURIComponent(typeof value === "string" ? value : JSON.stringify(value));

test("causes and letters are those that fit, by what is in the payload too", async () => {
  const { get } = await letters();
  const counts = async (filter: string): Promise<readonly number[]> =>
    (
      await get<{ causes: readonly { letters: number }[] }>(`errors?filter=${asked(filter)}`)
    ).causes.map(({ letters: count }) => count);
  expect(await counts("payload.n>=7")).toEqual([3]);
  expect(await counts("error=CardDeclined -queue=billing")).toEqual([]);
  // Nobody guesses a secret letter by letter.
  expect(await counts("payload.apiKey~k-1")).toEqual([]);
  const filter = { queue: "billing", where: "payload.n=3 OR id=c-4" };
  expect(await get(`dead/letters?filter=${asked(filter)}`)).toMatchObject([
    { id: "c-3" },
    { id: "c-4" },
  ]);
  await expect(counts("eror~x")).rejects.toThrow(/400.*eror~x at character 1/);
});

test("what the client's own mask hides is neither shown nor found, nor counted", async () => {
  const { t } = await letters();
  const millrace = await connect({ broker: t.client.broker, clock: t.clock, maskKeys: ["n"] });
  const dashboard = createDashboard({ millrace, clock: t.clock, authorize: () => ADA });
  onTestFinished(() => dashboard.close());
  const get = async (path: string): Promise<unknown> =>
    (await dashboard(new Request(`${ORIGIN}/api/${path}`))).json();
  expect(await get("jobs/billing/c-1")).toMatchObject({
    letter: { payload: { n: "***" } },
  });
  expect(await get(`errors?filter=${asked("payload.n<4")}`)).toMatchObject({ causes: [] });
  const target = { kind: "dead-retry", filter: { where: "payload.n<4" } };
  expect(await get(`operations/count?target=${asked(target)}`)).toEqual({ count: 0 });
});

test("a mask that is given to the dashboard itself is refused: it would hide nothing", async () => {
  const { t } = await scene();
  const options = { millrace: t.client, authorize: () => BOB, mask: (value: unknown) => value };
  expect(() => createDashboard(options)).toThrow(
    expect.objectContaining({ code: "invalid-option" }) as Error,
  );
});

test("a filter is completed by the fields that letters have, and by no other", async () => {
  const { get } = await letters();
  const next = async (filter: string): Promise<readonly string[]> =>
    (await get<readonly { filter: string }[]>(`dead/completions?filter=${asked(filter)}`)).map(
      (one) => one.filter,
    );
  expect(await next("queue=mail re")).toEqual(["queue=mail reason:"]);
  expect(await next("to")).toEqual([]);
});

test("all that fit are retried by an operation, and what fits is written down", async () => {
  const { get, post, bankIs, t } = await letters();
  bankIs("up");
  const target = { kind: "dead-retry", filter: { where: "payload.n<4" } };
  expect(await get(`operations/count?target=${asked(target)}`)).toEqual({ count: 4 });
  const { operation } = (await (await post("operations", target)).json()) as { operation: string };
  await t.clock.advance("10s");
  await t.drain();
  expect(await get(`operations/${operation}`)).toMatchObject({
    ...{ total: 4, done: 4, by: ADA.name, filter: { where: "payload.n<4" } },
  });
  expect(await t.deadLetters()).toHaveLength(6);
});

test.each(["", "  ", "\n"])(
  "a filter that says nothing (%j) does not mean every letter",
  async (where) => {
    const { post, t } = await letters();
    for (const filter of [{ where }, {}])
      expect((await post("operations", { kind: "dead-discard", filter })).status).toBe(400);
    expect((await post("dead/discard", { filter: { where } })).status).toBe(400);
    expect(await t.deadLetters()).toHaveLength(10);
  },
);

test("of very many causes the page has the most frequent ones, and finds any by its fingerprint", async () => {
  const say = defineJob<string>({ name: "say", queue: "talk", retry: "none" });
  const handler = say.handler(({ input }) => {
    throw new Error(`nobody knows ${input}`);
  });
  const { t, get } = await scene({ jobs: [handler] });
  const words = Array.from({ length: 501 }, (_, n) =>
    String(n).replaceAll(/\d/g, (digit) => "abcdefghij"[Number(digit)] ?? ""),
  );
  await t.client.enqueueMany(
    say,
    [...words, "zebras", "zebras"].map((input) => ({ input })),
  );
  await t.drain();
  interface Cause {
    readonly letters: number;
    readonly pattern: string;
    readonly fingerprint: string;
  }
  const { causes, more } = await get<{
    readonly causes: readonly Cause[];
    readonly more: boolean;
  }>("errors");
  expect(causes).toHaveLength(500);
  expect(more).toBe(true);
  expect(causes[0]).toMatchObject({ letters: 2, pattern: "nobody knows zebras" });
  const [all, patterns] = [await t.client.dead.groups(), causes.map(({ pattern }) => pattern)];
  const left = all.filter(({ pattern = "" }) => !patterns.includes(pattern));
  expect(left).toHaveLength(2);
  for (const { fingerprint = "none", pattern } of left)
    expect(await get(`errors?filter=${asked(`fingerprint:${fingerprint}`)}`)).toMatchObject({
      causes: [{ letters: 1, fingerprint, pattern }],
    });
});
