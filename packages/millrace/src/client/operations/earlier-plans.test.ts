import { expect, test } from "vitest";
import { plansOf } from "./operation-plan.ts";
import { CANCEL, charge, QUEUE, type Scene, scene } from "./undo.fixture.ts";

const HOUR_MS = 3_600_000;

type Items = readonly (readonly unknown[])[];

/** The plan of an operation, as it is stored and as an earlier version had stored it. */
async function planOf(of: Scene, id: string) {
  const plans = await plansOf(of.client.broker);
  const key = `${id}.0`;
  return {
    items: async () => {
      const page = await plans.get(key);
      return (page?.value as { readonly items: Items } | undefined)?.items ?? [];
    },
    write: (items: Items) => plans.put(key, { items, exceptions: {} }),
  };
}

/** A minute after its creation the charge x still waits for its time, an hour after it. */
async function delayed({ client, clock }: Scene): Promise<number> {
  const createdAt = clock.now();
  await client.enqueue(charge, { n: 1 }, { id: "x", delay: "1h" });
  await clock.advance("1m");
  return createdAt;
}

test("jobs are cancelled by a plan of an earlier version, and an earlier version reads today's", async () => {
  const of = await scene();
  const { client, clock } = of;
  of.bankIsUp();
  const createdAt = await delayed(of);
  const { id } = await client.operations.start(CANCEL);
  const plan = await planOf(of, id);
  const [queue, job, mark] = (await plan.items())[0] ?? [];
  expect([queue, job, mark]).toEqual([QUEUE, "x", createdAt]);
  await plan.write([[QUEUE, "x", createdAt]]);
  expect(await client.operations.run(id)).toMatchObject({ done: 1, failed: 0 });
  await clock.advance("2h");
  await of.drain();
  expect(of.ran.size).toBe(0);
  const undo = await client.operations.undo(id);
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 1, failed: 0 });
  await of.drain();
  expect(of.ran.get("x")).toEqual([{ n: 1 }]);
});

test("a job that was enqueued since is not cancelled by a plan of an earlier version", async () => {
  const of = await scene();
  const { client, clock } = of;
  of.bankIsUp();
  const createdAt = await delayed(of);
  const { id } = await client.operations.start(CANCEL);
  await (await planOf(of, id)).write([[QUEUE, "x", createdAt - 1]]);
  await client.operations.run(id);
  await clock.advance("2h");
  await of.drain();
  expect(of.ran.get("x")).toEqual([{ n: 1 }]);
});

test("jobs are given another time by a plan of an earlier version, and their old one again", async () => {
  const of = await scene();
  const { client } = of;
  const start = await delayed(of);
  const target = { kind: "jobs-reschedule", filter: { queue: QUEUE }, delay: "9h" } as const;
  const { id } = await client.operations.start(target);
  const to = start + 10 * HOUR_MS;
  await (await planOf(of, id)).write([[QUEUE, "x", start + HOUR_MS, to]]);
  const due = async () => (await client.delayed.list()).map(({ notBefore }) => notBefore);
  expect(await client.operations.run(id)).toMatchObject({ done: 1, failed: 0 });
  expect(await due()).toEqual([to]);
  const undo = await client.operations.undo(id);
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 1, failed: 0 });
  expect(await due()).toEqual([start + HOUR_MS]);
});

test("what could not be read in a plan that tells jobs by their enqueue is not moved", async () => {
  const of = await scene();
  const { client, clock } = of;
  const start = await delayed(of);
  await client.enqueue(charge, { n: 2 }, { id: "y", delay: "1h" });
  await clock.advance("1m");
  const target = { kind: "jobs-reschedule", filter: { queue: QUEUE }, delay: "9h" } as const;
  const { id } = await client.operations.start(target);
  const plan = await planOf(of, id);
  // The version before wrote nothing of its enqueue.
  const items = (await plan.items()).map((item) => (item[1] === "x" ? item.slice(0, 4) : item));
  await plan.write(items);
  expect(await client.operations.run(id)).toMatchObject({ done: 1, failed: 1 });
  const [first] = await client.delayed.list();
  expect(first).toMatchObject({ id: "x", notBefore: start + HOUR_MS });
});
