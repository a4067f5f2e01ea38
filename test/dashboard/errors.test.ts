import { defineJob, type JobIndex, openJobIndex } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { charge, scene, type Scene } from "./scene.ts";

const print = defineJob<{ readonly page: number }>({
  ...{ name: "paper.print", queue: "paper", retry: { attempts: 3, base: "1s", jitter: false } },
});

interface Cause {
  readonly error: string;
  readonly fingerprint: string;
  readonly letters: number;
  readonly failed?: { readonly failures: number; readonly jobs: number };
}
interface Causes {
  readonly causes: readonly Cause[];
  readonly lettersOnly: boolean;
}

/** Three cards were refused for good; a page was printed at its third attempt. */
async function failing(): Promise<Scene & { readonly index: JobIndex }> {
  let index: JobIndex | undefined;
  const printer = print.handler(({ input: { page }, attempt }) => {
    if (attempt === 3) return "printed";
    const error = new Error(`tray ${page} is empty, token=s3cr3t-value`);
    throw Object.assign(error, { name: "OutOfPaper" });
  });
  const of = await scene({
    jobs: [printer],
    search: async (t) => {
      const { broker, mask } = t.client;
      index = await openJobIndex({ broker, mask, clock: t.clock });
      return index;
    },
  });
  if (index === undefined) throw new Error("no index");
  const made = index;
  onTestFinished(() => made.close());
  await of.t.enqueue(print, { page: 7 }, { id: "p" });
  for (const n of [1, 2, 3]) await of.t.enqueue(charge, { n }, { id: `c${n}` });
  await of.t.drain();
  await made.caughtUp();
  return { ...of, index: made };
}

const counts = ({ causes }: Causes): readonly unknown[] =>
  causes.map(({ error, failed, letters }) => [error, failed?.failures, failed?.jobs, letters]);

test("what was tried again and succeeded is a cause beside what died, and its jobs are found", async () => {
  const { get } = await failing();
  const all = await get<Causes>("errors");
  expect(counts(all)).toEqual([
    ["CardDeclined", 6, 3, 3],
    ["OutOfPaper", 2, 1, 0],
  ]);
  expect(all).toMatchObject({ more: false, lettersOnly: false });
  expect(JSON.stringify(all)).not.toContain("s3cr3t-value");
  const { fingerprint } = all.causes[1] ?? { fingerprint: "none" };
  const filter = encodeURIComponent(`fingerprint:${fingerprint}`);
  expect(await get(`jobs?filter=${filter}`)).toMatchObject({
    jobs: [{ id: "p", state: "succeeded" }],
  });
  // Each attempt says of what it failed, so that its job leads to the cause.
  const { history } = await get<{ readonly history: readonly object[] }>("jobs/paper/p");
  expect(history).toMatchObject([{ fingerprint }, { fingerprint }, { state: "succeeded" }]);
  expect(history[2]).not.toHaveProperty("fingerprint");
  expect(counts(await get<Causes>("errors?queue=paper"))).toHaveLength(1);
  expect(counts(await get<Causes>("errors?dead=only"))).toEqual([["CardDeclined", 6, 3, 3]]);
});

test("a filter that only letters can answer leaves out what has none, and it is said", async () => {
  const { get } = await failing();
  const ask = (filter: string): Promise<Causes> =>
    get<Causes>(`errors?filter=${encodeURIComponent(filter)}`);
  expect(counts(await ask("error~paper"))).toEqual([["OutOfPaper", 2, 1, 0]]);
  const ofLetters = await ask("payload.n:2");
  expect(ofLetters.lettersOnly).toBe(true);
  expect(counts(ofLetters)).toEqual([["CardDeclined", 6, 3, 1]]);
  await expect(ask("nofield:2")).rejects.toThrow(/400.*invalid-filter/);
});

test("retrying a cause is about its dead letters: what succeeded is not run again", async () => {
  const { get, post, bankIs, t, index } = await failing();
  bankIs("up");
  const { causes } = await get<Causes>("errors");
  for (const { fingerprint } of causes) {
    const target = { kind: "dead-retry", filter: { fingerprint } };
    expect((await post("operations", target)).status).toBe(200);
  }
  await t.clock.advance("10s");
  await t.drain();
  await index.caughtUp();
  expect(counts(await get<Causes>("errors"))).toEqual([
    ["CardDeclined", 6, 3, 0],
    ["OutOfPaper", 2, 1, 0],
  ]);
  expect((await index.search({ where: "state:succeeded attempts:3" })).jobs).toHaveLength(1);
});

test("without an index causes are those of dead letters, and nobody says how often they failed", async () => {
  const { t, get } = await scene();
  await t.enqueue(charge, { n: 1 }, { id: "c" });
  await t.drain();
  const found = await get<Causes>("errors");
  expect(found.lettersOnly).toBe(true);
  expect(found.causes).toMatchObject([{ error: "CardDeclined", letters: 1 }]);
  expect(found.causes[0]).not.toHaveProperty("failed");
});
