import { defineJob } from "millrace";
import { expect, test } from "vitest";
import { scene } from "./scene.ts";

/** It enqueues two of itself, down to the third generation. */
const split = defineJob<number>({ name: "split", queue: "splits" });
const handled = split.handler(async ({ input, enqueue, job: { id } }) => {
  if (input === 0) return;
  for (const side of ["a", "b"]) await enqueue(split, input - 1, { id: `${id}${side}` });
});

interface Family {
  readonly members: readonly { readonly id: string; readonly state?: string }[];
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
