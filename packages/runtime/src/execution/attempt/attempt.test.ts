import {
  cancel,
  defineJob,
  fatal,
  type JobOptions,
  MillraceError,
  retryAfter,
  type Schema,
  snooze,
} from "@millrace/core";
import { describe, expect, test } from "vitest";
import { latch, QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";

type Options = Partial<JobOptions<unknown, unknown, unknown>>;
type Handle = Parameters<ReturnType<typeof defineJob>["handler"]>[0];

const jobThat = (handle: Handle, options: Options = {}) =>
  defineJob({ name: "t.job", queue: QUEUE, retry: "none", ...options }).handler(handle);

function schema(check: (value: unknown) => ReturnType<Schema["~standard"]["validate"]>): Schema {
  return { "~standard": { version: 1, vendor: "test", validate: check } };
}

async function outcomeOf(handle: Handle, options: Options = {}, payload: unknown = 1) {
  const made = await simulatedNode({ jobs: [jobThat(handle, options)] });
  await made.enqueue("t.job", payload);
  await made.clock.advance("1s");
  return { ...made, record: (await made.history())[0] };
}

describe("what a handler says", () => {
  const RETRY: Options = { retry: { attempts: 2, backoff: "fixed", base: "9s", jitter: false } };
  const WISHES: [string, () => unknown, object][] = [
    ["snooze", () => snooze("5s"), { state: "requeued", outcome: "snoozed", attempts: 0 }],
    ["fatal", () => fatal("no"), { state: "dead", reason: "fatal", attempts: 1 }],
    ["cancel", () => cancel("unwanted"), { state: "cancelled", reason: "unwanted" }],
    [
      "retryAfter",
      () => retryAfter("5s", "busy"),
      { state: "requeued", error: { message: "busy" } },
    ],
  ];

  test.each(WISHES)(
    "%s returned, promised, thrown and rejected are the same",
    async (_name, wish, expected) => {
      const ways: Handle[] = [
        () => wish(),
        async () => wish(),
        () => {
          throw wish();
        },
        async () => {
          throw wish();
        },
      ];
      for (const way of ways) expect((await outcomeOf(way, RETRY)).record).toMatchObject(expected);
    },
  );

  test("retryAfter() waits as long as it says, whatever the policy says", async () => {
    const { record, clock } = await outcomeOf(() => retryAfter("5s"), RETRY);
    expect(record?.notBefore).toBe(clock.now() - 1_000 + 5_000);
  });

  test("a thenable that is no promise is awaited, as a query builder needs it", async () => {
    const query = { then: (resolve: (rows: string[]) => void) => resolve(["row"]) };
    const { record } = await outcomeOf(() => query);
    expect(record).toMatchObject({ state: "succeeded", output: ["row"] });
  });

  test("a result whose then() can't be read is a failure and nothing worse", async () => {
    const odd = Object.defineProperty({}, "then", {
      get: () => {
        throw new Error("odd");
      },
    });
    expect((await outcomeOf(() => odd)).record).toMatchObject({
      state: "dead",
      error: { message: "odd" },
    });
  });

  test.each([undefined, null, 0, "text", Symbol("s"), new Error("e")])(
    "throwing %o fails",
    async (thrown) => {
      const { record } = await outcomeOf(() => {
        throw thrown;
      });
      expect(record).toMatchObject({ state: "dead", outcome: "failed" });
    },
  );
});

describe("middleware", () => {
  const run = async (
    middleware: NonNullable<Parameters<typeof simulatedNode>[0]["middleware"]>,
  ) => {
    const made = await simulatedNode({ jobs: [jobThat(() => "plain")], middleware });
    await made.enqueue("t.job");
    return (await made.history())[0];
  };

  test("may change the result", async () => {
    const record = await run([async (_execution, next) => `${String(await next())}, wrapped`]);
    expect(record).toMatchObject({ output: "plain, wrapped" });
  });

  test("that throws fails the attempt, at once or later", async () => {
    const now = await run([
      () => {
        throw new Error("at once");
      },
    ]);
    expect(now).toMatchObject({ state: "dead", error: { message: "at once" } });
    const later = await run([async () => Promise.reject(new Error("later"))]);
    expect(later).toMatchObject({ state: "dead", error: { message: "later" } });
  });

  test("may answer with a wish", async () => {
    expect(await run([async () => snooze("1s")])).toMatchObject({ outcome: "snoozed" });
  });
});

describe("timeouts", () => {
  const SLOW: Options = { timeout: "1s", grace: "2s" };

  test("a handler that comes back with a value in the grace has succeeded", async () => {
    const late = latch<string>();
    const { clock, history } = await outcomeOf(() => late.promise, SLOW);
    late.open("after all");
    await clock.advance(0);
    expect(await history()).toMatchObject([{ state: "succeeded", output: "after all" }]);
  });

  test("one that throws in the grace has timed out, and what it threw is told", async () => {
    const late = latch();
    const { clock, history } = await outcomeOf(() => late.promise, SLOW);
    late.fail(new Error("socket closed"));
    await clock.advance(0);
    expect(await history()).toMatchObject([
      {
        outcome: "timed-out",
        error: {
          type: "timed-out",
          message:
            "The handler did not end within its timeout of 1000 ms. It then failed with: socket closed",
        },
      },
    ]);
  });

  test("one that ignores its signal is settled after the grace, its slot is free, and its late end has no hearer", async () => {
    const late = latch<string>();
    const { clock, history, said, node, enqueue } = await outcomeOf(() => late.promise, SLOW);
    await clock.advance("2s");
    expect(said).toEqual(["started a", "ignored a", "settled a dead timed-out"]);
    expect(node.health().queues).toMatchObject([{ used: 0 }]);
    late.open("too late");
    await clock.advance(0);
    expect(await history()).toHaveLength(1);
    await enqueue("t.job", null, { id: "b" });
    expect(await history("b")).toMatchObject([{ state: "succeeded" }]);
  });

  test("a late rejection is no unhandled one", async () => {
    const late = latch();
    const { clock, history } = await outcomeOf(() => late.promise, SLOW);
    await clock.advance("2s");
    late.fail(new Error("too late"));
    await clock.advance(0);
    expect(await history()).toHaveLength(1);
  });

  test("the job's own timeout overrules the definition's", async () => {
    const { clock, enqueue, history } = await simulatedNode({
      jobs: [jobThat(() => new Promise(() => {}), SLOW)],
    });
    await enqueue("t.job", null, { timeoutMs: 5_000 });
    await clock.advance("6999ms");
    expect(await history()).toEqual([]);
    await clock.advance("1ms");
    expect(await history()).toMatchObject([{ outcome: "timed-out" }]);
  });

  test("no grace at all", async () => {
    const { history } = await outcomeOf(() => new Promise(() => {}), { timeout: "1s", grace: 0 });
    expect(await history()).toMatchObject([{ outcome: "timed-out" }]);
  });

  test("a job that waited longer than it may is expired", async () => {
    let runs = 0;
    const { clock, broker, enqueue, history } = await simulatedNode({
      slots: 1,
      jobs: [
        jobThat(
          ({ input }) => {
            runs += 1;
            return input === "slow" ? new Promise(() => {}) : undefined;
          },
          { queuedTimeout: "10s", timeout: "10s", grace: "1s" },
        ),
      ],
    });
    await enqueue("t.job", "slow");
    await enqueue("t.job", "quick", { id: "b" });
    await clock.advance("12s");
    expect(runs).toBe(1);
    expect(await history("b")).toMatchObject([{ state: "expired" }]);
    expect(await broker.deadLetters.list({ id: "b" })).toMatchObject([{ reason: "expired" }]);
  });
});

describe("validation", () => {
  const only = (wanted: unknown): Schema =>
    schema((value) =>
      value === wanted
        ? { value: `parsed ${String(value)}` }
        : { issues: [{ message: "not wanted", path: ["field"] }] },
    );
  const late = (wanted: unknown): Schema =>
    schema(async (value) => only(wanted)["~standard"].validate(value));

  test.each([
    ["at once", only],
    ["later", late],
  ])("%s: the handler sees what the schema gives back", async (_when, make) => {
    const { record, said } = await outcomeOf(({ input }) => input, { input: make(1) });
    expect(record).toMatchObject({ state: "succeeded", output: "parsed 1" });
    expect(said).toEqual(["started a", "settled a succeeded succeeded"]);
  });

  test.each([
    ["at once", only],
    ["later", late],
  ])(
    "%s: a payload that breaks the rules is a dead letter without an attempt",
    async (_when, make) => {
      let called = false;
      const { record, broker } = await outcomeOf(() => (called = true), {
        input: make(2),
        retry: { attempts: 5 },
      });
      expect(called).toBe(false);
      expect(record).toMatchObject({ state: "dead", reason: "invalid-payload", attempts: 0 });
      expect(await broker.deadLetters.list()).toMatchObject([
        {
          reason: "invalid-payload",
          error: {
            type: "invalid-payload",
            message: "The payload of t.job does not satisfy its schema: field: not wanted.",
          },
        },
      ]);
    },
  );

  test.each([
    [
      "at once",
      schema(() => {
        throw new Error("no database");
      }),
    ],
    ["later", schema(async () => Promise.reject(new Error("no database")))],
  ])(
    "%s: a schema that can't be asked is a failed attempt, and tried again",
    async (_when, input) => {
      const { record } = await outcomeOf(() => "never", {
        input,
        retry: { attempts: 2, base: "1m" },
      });
      expect(record).toMatchObject({
        state: "requeued",
        outcome: "failed",
        attempts: 1,
        error: { message: "no database" },
      });
    },
  );

  test("a schema that never answers times out and frees its slot", async () => {
    const { clock, history, node } = await outcomeOf(() => "never", {
      input: schema(() => new Promise(() => {})),
      timeout: "1s",
      grace: "1s",
    });
    await clock.advance("1s");
    expect(await history()).toMatchObject([{ outcome: "timed-out" }]);
    expect(node.health().queues).toMatchObject([{ used: 0 }]);
  });

  test.each([
    ["at once", only],
    ["later", late],
  ])("%s: a result that breaks its rules is a failed attempt", async (_when, make) => {
    const { record } = await outcomeOf(() => 2, { output: make(1) });
    expect(record).toMatchObject({ outcome: "failed", error: { type: "invalid-output" } });
    const good = await outcomeOf(() => 1, { output: make(1) });
    expect(good.record).toMatchObject({ state: "succeeded", output: "parsed 1" });
  });

  test("a result's schema that never answers times out", async () => {
    const { clock, history } = await outcomeOf(() => 1, {
      output: schema(() => new Promise(() => {})),
      timeout: "1s",
      grace: "1s",
    });
    await clock.advance("1s");
    expect(await history()).toMatchObject([{ outcome: "timed-out" }]);
  });

  test("a handler is not begun after its node began to hand back", async () => {
    let called = false;
    const answer = latch<{ value: unknown }>();
    const { clock, node, history } = await outcomeOf(() => (called = true), {
      input: schema(() => answer.promise),
    });
    const stopped = node.stop();
    await clock.advance("22s");
    answer.open({ value: 1 });
    await clock.advance("1m");
    await stopped;
    expect(called).toBe(false);
    expect(await history()).toMatchObject([
      { state: "requeued", outcome: "interrupted", attempts: 0 },
    ]);
  });
});

test("a job of an unknown name is a dead letter, and its neighbours run", async () => {
  const { broker, enqueue, history } = await simulatedNode({ jobs: [jobThat(() => "done")] });
  await enqueue("t.other", null, { id: "b" });
  await enqueue("t.job");
  expect(await broker.deadLetters.list()).toMatchObject([{ id: "b", reason: "unknown-name" }]);
  expect(await history()).toMatchObject([{ state: "succeeded" }]);
});

test("a handler that throws a MillraceError keeps its code", async () => {
  const { record } = await outcomeOf(() => {
    throw new MillraceError("queue-full", "later");
  });
  expect(record).toMatchObject({ error: { type: "queue-full", message: "later" } });
});
