import {
  type BatchEnded,
  cancel,
  type CancelledJob,
  type DeadJob,
  defineJob,
  type Duration,
  fatal,
  type JobOptions,
  planJob,
  type SucceededJob,
} from "@millrace/core";
import { describe, expect, test } from "vitest";
import { createTestRuntime, type TestRuntime } from "./test-runtime.ts";

type Told = SucceededJob | DeadJob | CancelledJob;
type Do = "return" | "throw" | "fatal" | "cancel" | "hang";

const tell = defineJob<Told>({ name: "tell", queue: "told" });
const onAll = { onSucceeded: tell, onDead: tell, onCancelled: tell };
const NEVER = { retry: { attempts: 2, backoff: "fixed", base: "1s", jitter: false } } as const;

/** A job that ends as its input says, and whoever is told of it. */
async function scene(options: Partial<JobOptions<Do, Do, string>> = {}, slots = 10) {
  const told: Told[] = [];
  const ids: string[] = [];
  const work = defineJob<Do, Do, string>({
    ...{ name: "work", queue: "work", ...NEVER },
    ...onAll,
    ...options,
  });
  const t = await createTestRuntime({
    jobs: [
      work.handler(({ input, signal }) => {
        if (input === "throw") throw new TypeError("broken");
        if (input === "fatal") return fatal("no such account");
        if (input === "cancel") return cancel("not worth it");
        if (input === "return") return "done";
        return new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason as Error)),
        );
      }),
      tell.handler(({ input, job }) => {
        told.push(input);
        ids.push(job.id);
      }),
    ],
    slots,
  });
  return { t, work, told, ids };
}

describe("each way to an end is told, once", () => {
  type Way = (t: TestRuntime, work: Awaited<ReturnType<typeof scene>>["work"]) => Promise<unknown>;
  const enqueue =
    (input: Do, options = {}): Way =>
    (t, work) =>
      t.enqueue(work, input, { id: "a", ...options });
  const cancelled =
    (wait: Duration, options = {}): Way =>
    async (t, work) => {
      const handle = await t.enqueue(work, "hang", { id: "a", ...options });
      await t.clock.advance(wait);
      await handle.cancel("user left");
    };
  const WAYS: readonly (readonly [what: string, way: Way, expected: Partial<Told>])[] = [
    ["a success", enqueue("return"), { end: "succeeded", result: "done", attempts: 1 }],
    [
      "attempts that are used up",
      enqueue("throw"),
      { end: "dead", reason: "attempts-exhausted", attempts: 2 },
    ],
    ["fatal()", enqueue("fatal"), { end: "dead", reason: "fatal", attempts: 1 }],
    [
      "a timeout that is the last",
      enqueue("hang", { timeout: "5s", maxAttempts: 1 }),
      { end: "dead", reason: "attempts-exhausted" },
    ],
    [
      "an expiry",
      async (t, work) => {
        await t.client.queues.pause("work");
        await t.clock.advance("1s");
        await t.enqueue(work, "return", { id: "a", expiresIn: "5s" });
        await t.clock.advance("1m");
        await t.client.queues.resume("work");
      },
      { end: "expired", reason: "expired", attempts: 0 },
    ],
    ["cancel()", enqueue("cancel"), { end: "cancelled", reason: "not worth it" }],
    ["a cancelled run", cancelled("1s"), { end: "cancelled", reason: "user left" }],
    [
      "a delayed job that is cancelled",
      cancelled("1h", { delay: "5d" }),
      { end: "cancelled", reason: "user left", attempts: 0 },
    ],
    [
      "a retry that is cancelled",
      async (t, work) => {
        const handle = await t.enqueue(work, "throw", { id: "a" });
        await t.clock.advance("500ms");
        await handle.cancel("enough");
      },
      { end: "cancelled", reason: "enough", attempts: 1 },
    ],
  ];

  test.each(WAYS)("%s", async (_what, way, expected) => {
    const { t, work, told, ids } = await scene();
    await using _t = t;
    await way(t, work);
    await t.drain();
    await t.clock.advance("3h");
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ id: "a", name: "work", queue: "work", ...expected });
    expect(told[0]?.payload).toBeTypeOf("string");
    expect(ids).toEqual([`${expected.end === "expired" ? "dead" : expected.end}:work:a`]);
    const { history } = await t.job("a");
    expect(told[0]?.endedAt).toBe(history.at(-1)?.at);
    expect(await t.client.dead.list({ queue: "told" })).toEqual([]);
  });

  test("a job that waits for a slot, and one that is blocked, when they are cancelled", async () => {
    const { t, work, told } = await scene({ concurrency: { key: () => "one", limit: 1 } });
    await using _t = t;
    const busy = await t.enqueue(work, "hang", { id: "busy" });
    await t.clock.advance("100ms");
    const blocked = await t.enqueue(work, "hang", { id: "blocked" });
    await t.clock.advance("100ms");
    await t.assertState(blocked, "blocked");
    await blocked.cancel("not needed");
    await t.clock.advance("1s");
    expect(told).toMatchObject([{ id: "blocked", end: "cancelled", reason: "not needed" }]);
    await busy.cancel();
    await t.drain();
    expect(told).toHaveLength(2);
  });

  test("a job that waits behind others is told when a node reaches it", async () => {
    const { t, work, told } = await scene({}, 1);
    await using _t = t;
    const busy = await t.enqueue(work, "hang", { id: "busy" });
    await t.enqueue(work, "hang", { id: "waits" });
    await t.clock.advance("1s");
    await t.client.cancel("waits", { reason: "too late" });
    await busy.cancel();
    await t.drain();
    expect(told.map(({ id, end }) => `${id} ${end}`)).toEqual([
      "busy cancelled",
      "waits cancelled",
    ]);
  });

  test("a singleton that is skipped, and a unique job that gives way", async () => {
    const skipped = await scene({ singleton: { onBusy: "skip" } });
    await using _s = skipped.t;
    const busy = await skipped.t.enqueue(skipped.work, "hang", { id: "busy" });
    await skipped.t.clock.advance("1s");
    await skipped.t.enqueue(skipped.work, "return", { id: "skipped" });
    await skipped.t.clock.advance("1s");
    expect(skipped.told).toMatchObject([{ id: "skipped", end: "cancelled" }]);
    await busy.cancel();

    const unique = await scene({ unique: { key: () => "k", onConflict: "replace" } });
    await using _u = unique.t;
    await unique.t.enqueue(unique.work, "return", { id: "first", delay: "1h" });
    await unique.t.clock.advance("1m");
    await unique.t.enqueue(unique.work, "return", { id: "second", delay: "1h" });
    await unique.t.drain();
    expect(unique.told.map(({ id, end }) => `${id} ${end}`).toSorted()).toEqual([
      "first cancelled",
      "second succeeded",
    ]);
  });
});

test("a retry that follows is no end: nobody is told before the last", async () => {
  const { t, work, told } = await scene();
  await using _t = t;
  await t.enqueue(work, "throw");
  await t.clock.advance("500ms");
  expect(told).toEqual([]);
  await t.drain();
  expect(told).toHaveLength(1);
});

test("a dead letter that is retried is told of again, as another life", async () => {
  const { t, work, told, ids } = await scene();
  await using _t = t;
  await t.enqueue(work, "fatal", { id: "a" });
  await t.drain();
  for (let life = 1; life <= 2; life += 1) {
    await t.client.dead.retry({ id: "a" });
    await t.drain();
  }
  expect(told.map(({ life }) => life)).toEqual([undefined, 1, 2]);
  expect(ids).toEqual(["dead:work:a", "dead-1:work:a", "dead-2:work:a"]);
});

test("an id that is used again is told of again", async () => {
  const { t, work, told } = await scene();
  await using _t = t;
  for (const input of ["fatal", "fatal", "return"] as const) {
    await t.enqueue(work, input, { id: "a", once: false });
    await t.drain();
    await t.clock.advance("121s");
  }
  expect(told.map(({ end }) => end)).toEqual(["dead", "dead", "succeeded"]);
});

test("jobs of two queues with one id are told apart, and so is one whose id is as long as can be", async () => {
  const told: string[] = [];
  const [mail, sms] = ["mail", "sms"].map((queue) =>
    defineJob({ name: queue, queue, onSucceeded: tell }),
  );
  if (mail === undefined || sms === undefined) throw new Error("two definitions");
  await using t = await createTestRuntime({
    jobs: [
      mail.handler(() => {}),
      sms.handler(() => {}),
      tell.handler(({ input, job }) => void told.push(`${input.queue} ${job.id.length <= 128}`)),
    ],
  });
  for (const id of ["a", "x".repeat(128)])
    for (const job of [mail, sms]) await t.enqueue(job, null, { id });
  await t.drain();
  expect(told.toSorted()).toEqual(["mail true", "mail true", "sms true", "sms true"]);
});

test("a payload that the schema refuses is not handed to a job that counts on it", async () => {
  const refusing = {
    "~standard": { version: 1, vendor: "test", validate: () => ({ issues: [{ message: "no" }] }) },
  } as const;
  const told: DeadJob[] = [];
  const alert = defineJob<DeadJob>({ name: "alert", queue: "told" });
  const open = defineJob({ name: "strict", queue: "work" });
  const strict = defineJob({ name: "strict", queue: "work", input: refusing, onDead: alert });
  await using t = await createTestRuntime({
    jobs: [strict.handler(() => {}), alert.handler(({ input }) => void told.push(input))],
  });
  await t.enqueue(open, "anything", { id: "a" });
  await t.drain();
  expect(told).toMatchObject([
    {
      id: "a",
      reason: "invalid-payload",
      payloadDropped: "invalid",
      error: { type: "invalid-payload" },
    },
  ]);
  expect(told[0]).not.toHaveProperty("payload");
});

test("a chain and a batch go on beside it, and what is told belongs to neither", async () => {
  const { t, work, told } = await scene();
  await using _t = t;
  const { name, queue } = tell;
  const hears = defineJob<string>({ name, queue });
  const sums = defineJob<BatchEnded<null>>({ name, queue });
  const chain = await t.client.chain(work, "return", { id: "c" }).next(hears).enqueue();
  const batch = await t.client.batch([planJob(work, "throw", { id: "m" })], {
    id: "b",
    callback: { job: sums, input: null },
  });
  await t.drain();
  await chain.result();
  expect(await batch.left()).toBe(0);
  const ends = told.filter((one) => typeof one === "object" && "end" in one);
  expect(ends.map(({ id, end }) => `${id} ${end}`).toSorted()).toEqual(["c succeeded", "m dead"]);
  expect(told).toHaveLength(4);
});

test.each([
  ["nothing", null],
  ["a name", "tell"],
  ["an object that is no definition", { job: tell }],
])("%s instead of a definition is refused", (_what, given) => {
  expect(() => defineJob({ name: "x", onDead: given as never })).toThrow(
    expect.objectContaining({
      code: "invalid-option",
      message: expect.stringContaining("onDead") as string,
    }),
  );
});
