import { type BatchEnded, defineJob, fatal, planJob } from "millrace";
import { expect, test } from "vitest";
import { scene } from "./scene.ts";

/** It enqueues two of itself, down to the third generation. */
const split = defineJob<number>({ name: "split", queue: "splits" });
const handled = split.handler(async ({ input, enqueue, job: { id } }) => {
  if (input === 0) return;
  for (const side of ["a", "b"]) await enqueue(split, input - 1, { id: `${id}${side}` });
});

interface Family {
  readonly batch?: object;
  readonly members: readonly {
    readonly id: string;
    readonly name?: string;
    readonly state?: string;
  }[];
  readonly links: readonly { readonly from: string; readonly to: string }[];
  readonly more: boolean;
}

async function grown(generations: number) {
  const of = await scene({ jobs: [handled] });
  await of.t.enqueue(split, generations, { id: "r" });
  await of.t.drain();
  return { ...of, of: (id: string) => of.get<Family>(`jobs/splits/${id}/family`) };
}

test("a job's family is who enqueued it, up to the first, and what they enqueued", async () => {
  const { of } = await grown(2);
  const { members, links, more } = await of("rb");
  expect(members[0]).toMatchObject({ id: "rb", name: "split", state: "succeeded" });
  expect(members.map(({ id }) => id).toSorted()).toEqual(
    ["r", "ra", "rb", "raa", "rab", "rba", "rbb"].toSorted(),
  );
  expect(links).toHaveLength(6);
  expect(links).toContainEqual({ from: "splits/r", to: "splits/rb" });
  expect(links).toContainEqual({ from: "splits/rb", to: "splits/rba" });
  expect(more).toBe(false);
});

test("of a large one the nearest are told, and that there are more", async () => {
  const { of } = await grown(5);
  const { members, links, more } = await of("raa");
  expect(members).toHaveLength(40);
  expect(members[0]?.id).toBe("raa");
  expect(more).toBe(true);
  const ids = new Set(members.map(({ id }) => `splits/${id}`));
  expect(links.every(({ from, to }) => ids.has(from) && ids.has(to))).toBe(true);
});

test("a job that nobody knows has no family, and one that is alone is", async () => {
  const { of } = await grown(0);
  expect(await of("r")).toMatchObject({ members: [{ id: "r" }], links: [], more: false });
  expect(await of("nobody")).toEqual({
    ...{ links: [], more: false },
    members: [{ key: "splits/nobody", queue: "splits", id: "nobody" }],
  });
});

/** Fails where it is given nothing. */
const add = defineJob<number>({ name: "add", queue: "sums" });
const report = defineJob<BatchEnded<null>>({ name: "report", queue: "sums" });
const sums = [
  add.handler(({ input }) => (input === 0 ? fatal("nothing to add to") : input + 1)),
  report.handler(() => undefined),
];
const statesOf = ({ members }: Family) =>
  Object.fromEntries(members.map(({ id, state }) => [id, state]));

test("a chain is seen whole from each of its jobs, with those that have not begun", async () => {
  const { t, get } = await scene({ jobs: sums });
  const chain = t.client.chain(add, -2, { id: "a" }).next(add).next(add).next(add);
  await chain.next(add).enqueue();
  await t.drain();
  const states = {
    ...{ a: "succeeded", "a:2": "succeeded", "a:3": "dead" },
    ...{ "a:4": "not begun", "a:5": "not begun" },
  };
  for (const id of ["a", "a:2", "a:3"]) {
    const family = await get<Family>(`jobs/sums/${id}/family`);
    expect(statesOf(family)).toEqual(states);
    expect(family.members.every(({ name }) => name === "add")).toBe(true);
    expect(family.links).toHaveLength(4);
    expect(family.links).toContainEqual({ from: "sums/a:3", to: "sums/a:4" });
    expect(await get(`jobs/sums/${id}`)).toMatchObject({ hasFamily: true });
  }
});

test("of a long chain those are counted that are not named", async () => {
  const { t, get } = await scene({ jobs: sums });
  let chain = t.client.chain(add, -1, { id: "a" });
  for (let n = 0; n < 14; n += 1) chain = chain.next(add);
  await chain.enqueue();
  // The second is given nothing, and fails; thirteen come after it.
  await t.drain();
  for (const id of ["a", "a:2"]) {
    const family = await get<Family>(`jobs/sums/${id}/family`);
    expect(family.members).toHaveLength(12);
    expect(family).toMatchObject({ later: 3, more: false });
  }
});

test("a chain that is enqueued again by the same ids is not taken for the one before", async () => {
  const { t, get } = await scene({ jobs: sums });
  await t.client.chain(add, 1, { id: "a" }).next(add).enqueue();
  await t.drain();
  expect(statesOf(await get<Family>("jobs/sums/a/family"))).toMatchObject({
    "a:2": "succeeded",
  });
  await t.clock.advance("1h");
  await t.client.chain(add, 0, { id: "a", once: false }).next(add).enqueue();
  await t.drain();
  expect(statesOf(await get<Family>("jobs/sums/a/family"))).toEqual({
    ...{ a: "dead", "a:2": "not begun" },
  });
});

test("a batch is told with how many of its jobs have ended, and its callback, before and after its end", async () => {
  const { t, get } = await scene({ jobs: sums });
  const jobs = [
    planJob(add, 1, { id: "good" }),
    planJob(add, 0, { id: "bad" }),
    planJob(add, 2, { id: "late", delay: "1h" }),
  ];
  const callback = { job: report, input: null };
  await t.client.batch(jobs, { id: "b", callback });
  await t.clock.advance("1s");
  const counts = { succeeded: 1, dead: 1, expired: 0, cancelled: 0, refused: 0 };
  const called = { id: "b:callback", queue: "sums" };
  const open = await get<Family>("jobs/sums/good/family");
  expect(open.batch).toEqual({ id: "b", total: 3, left: 1, counts, callback: called });
  expect(open.links).toContainEqual({ from: "sums/good", to: "sums/b:callback" });
  await t.clock.advance("1h");
  await t.drain();
  const over = { id: "b", total: 3, left: 0, counts: { ...counts, succeeded: 2 } };
  for (const id of ["bad", "b:callback"])
    expect(await get<Family>(`jobs/sums/${id}/family`)).toMatchObject({ batch: over });
  expect(await t.client.batches.get("b")).toMatchObject({ left: 0, succeeded: 2, dead: 1 });
  expect(await t.client.batches.get("nobody")).toBeUndefined();
});
