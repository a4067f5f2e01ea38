import { defineJob } from "@millrace/core";
import { createTestRuntime } from "./test-runtime.ts";
import { describe, expect, test, vi } from "vitest";

const QUEUE = "mail";
const job = defineJob<{ do: "succeed" | "die" }, { do: "succeed" | "die" }, string>({
  name: "n",
  queue: QUEUE,
  retry: "none",
});

async function scene() {
  const ran: string[] = [];
  const t = await createTestRuntime({
    jobs: [
      job.handler(({ input, job: { id } }) => {
        ran.push(id);
        if (input.do === "die") throw new Error("broken");
        return "done";
      }),
    ],
  });
  return { t, ran };
}

const ID = "order-7";
const ASKED = { id: ID, once: true } as const;

describe.each([
  ["an id that was given", { id: ID }],
  ["an id that is looked up in the queue too", ASKED],
])("%s is an idempotency key for as long as its job is known", (_, ONCE) => {
  test("the queue has forgotten the id, and the job has ended: its handle is given", async () => {
    const { t, ran } = await scene();
    await using _t = t;
    expect((await t.client.enqueue(job, { do: "succeed" }, ONCE)).duplicate).toBe(false);
    await t.drain();
    await t.clock.advance("1h");
    const again = await t.client.enqueue(job, { do: "succeed" }, ONCE);
    expect(again.duplicate).toBe(true);
    expect(await again.result()).toBe("done");
    await t.drain();
    expect(ran).toEqual(["order-7"]);
  });

  test("the job is dead, and only its letter is left: it is retried or discarded, not enqueued", async () => {
    const { t, ran } = await scene();
    await using _t = t;
    await t.client.enqueue(job, { do: "die" }, ONCE);
    await t.drain();
    await t.clock.advance("1h");
    expect((await t.client.enqueue(job, { do: "succeed" }, ONCE)).duplicate).toBe(true);
    await t.drain();
    expect(ran).toEqual(["order-7"]);
  });

  test("the job waits for its time", async () => {
    const { t, ran } = await scene();
    await using _t = t;
    await t.client.enqueue(job, { do: "succeed" }, { ...ONCE, delay: "2h" });
    await t.clock.advance("1h");
    expect((await t.client.enqueue(job, { do: "succeed" }, ONCE)).duplicate).toBe(true);
    await t.drain();
    expect(ran).toEqual(["order-7"]);
  });

  test("the job lies in a queue that nobody serves", async () => {
    const { t, ran } = await scene();
    await using _t = t;
    await t.client.queues.pause(QUEUE);
    await t.clock.advance("10s");
    await t.client.enqueue(job, { do: "succeed" }, ONCE);
    await t.clock.advance("1h");
    expect((await t.client.enqueue(job, { do: "succeed" }, ONCE)).duplicate).toBe(true);
    await t.client.queues.resume(QUEUE);
    await t.drain();
    expect(ran).toEqual(["order-7"]);
  });

  test("two at the same time: one is stored", async () => {
    const { t, ran } = await scene();
    await using _t = t;
    const both = await Promise.all(
      [1, 2].map(() => t.client.enqueue(job, { do: "succeed" }, ONCE)),
    );
    expect(both.filter(({ duplicate }) => duplicate)).toHaveLength(1);
    await t.drain();
    expect(ran).toEqual(["order-7"]);
  });
});

test("many at once, from outside and from a handler: those whose jobs are known are duplicates", async () => {
  const made: (readonly boolean[])[] = [];
  const items = ["a", "b", "c"].map((id) => ({ id, input: { do: "succeed" as const } }));
  const parent = defineJob<null>({ name: "parent", queue: "parents" });
  await using t = await createTestRuntime({
    jobs: [
      job.handler(() => "done"),
      parent.handler(async ({ enqueueMany, enqueue }) => {
        const many = await enqueueMany(job, items);
        const one = await enqueue(job, { do: "succeed" }, { id: "a" });
        made.push([...many.map((each) => each.ok && each.duplicate), one.duplicate]);
      }),
    ],
  });
  await t.client.enqueue(job, { do: "succeed" }, { id: "b" });
  await t.drain();
  await t.clock.advance("1h");
  const duplicates = async (options = {}): Promise<readonly boolean[]> =>
    (await t.client.enqueueMany(job, items, options)).map((each) => each.ok && each.duplicate);
  expect(await duplicates()).toEqual([false, true, false]);
  await t.drain();
  await t.clock.advance("1h");
  expect(await duplicates({ atomic: true })).toEqual([true, true, true]);
  await t.enqueue(parent, null);
  await t.drain();
  expect(made).toEqual([[true, true, true, true]]);
});

test("a key of a unique job whose id is known is not kept from the next", async () => {
  const unique = defineJob<null>({
    name: "unique",
    queue: QUEUE,
    unique: { key: () => "k", while: "running" },
  });
  await using t = await createTestRuntime({ jobs: [unique.handler(() => "done")] });
  await t.enqueue(unique, null, { id: ID });
  await t.drain();
  await t.clock.advance("1h");
  expect(await t.enqueue(unique, null, { id: ID })).toMatchObject({ duplicate: true });
  expect(await t.enqueue(unique, null, { id: "another" })).toMatchObject({ duplicate: false });
});

test("without it an id is a key for two minutes, and nothing is looked up", async () => {
  const { t, ran } = await scene();
  await using _t = t;
  const looks = [
    vi.spyOn(t.broker.history, "last"),
    vi.spyOn(t.broker, "findWaiting"),
    vi.spyOn(t.broker, "serverNow"),
  ];
  const { id } = await t.client.enqueue(job, { do: "succeed" }, { id: "plain", once: false });
  for (const look of looks) expect(look).not.toHaveBeenCalled();
  await t.drain();
  await t.clock.advance("1h");
  await t.client.enqueue(job, { do: "succeed" }, { id, once: false });
  await t.drain();
  expect(ran).toEqual(["plain", "plain"]);
});

test("it needs an id, a yes or a no, and an input that can be sent", async () => {
  const { t } = await scene();
  await using _t = t;
  await expect(t.client.enqueue(job, { do: "succeed" }, { once: true })).rejects.toMatchObject({
    code: "invalid-option",
    message: expect.stringContaining("needs an id") as string,
  });
  const wrong = { id: "x", once: "yes" as unknown as boolean };
  await expect(t.client.enqueue(job, { do: "succeed" }, wrong)).rejects.toMatchObject({
    code: "invalid-option",
  });
});

test("of many jobs, one whose once is wrong has its own error, and the others are stored", async () => {
  const { t, ran } = await scene();
  await using _t = t;
  const input = { do: "succeed" } as const;
  const results = await t.client.enqueueMany(job, [
    { input, id: "a" },
    { input, id: "b", once: "yes" as never },
    { input, once: true },
    { input, id: "c" },
  ]);
  expect(results.map((one) => (one.ok ? one.id : one.error.code))).toEqual([
    ...["a", "invalid-option", "invalid-option", "c"],
  ]);
  await t.drain();
  expect(ran.toSorted()).toEqual(["a", "c"]);
});

test("a wrong once is told before an input that is looked at later, of which nobody hears", async () => {
  const { t } = await scene();
  await using _t = t;
  const schema = {
    "~standard": {
      ...{ version: 1 as const, vendor: "test" },
      validate: async (_value: unknown) => ({ issues: [{ message: "wrong" }] }),
    },
  };
  const checked = defineJob({ name: "checked", queue: QUEUE, input: schema });
  const unheard = vi.fn();
  process.on("unhandledRejection", unheard);
  await expect(t.client.enqueue(checked, {}, { once: true })).rejects.toMatchObject({
    code: "invalid-option",
  });
  // Node tells of it once all that was promised before is done.
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", unheard);
  expect(unheard).not.toHaveBeenCalled();
});
