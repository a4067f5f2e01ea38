import { fatal, type Schema, StepError, writeEntry } from "@millrace/core";
import { MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { latch, QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";
import { defineStepsJob } from "../../fixtures/steps-scene.ts";
import { scene } from "../../fixtures/recorded-steps.ts";

test("a recorded step isn't run again by the next attempt, which has its value", async () => {
  let tries = 0;
  const { enqueue, clock, did, last, recorded } = await scene(async (step) => {
    const user = await step.run("create", () => {
      did.push("create");
      return { id: 7, at: new Date(0) };
    });
    await step.run("mail", () => {
      did.push("mail");
      if ((tries += 1) < 3) throw new TypeError("no mail");
    });
    return user;
  });
  await enqueue("t.job");
  expect(await recorded()).toHaveLength(1);
  await clock.advance("1m");
  expect(did).toEqual(["create", "mail", "mail", "mail"]);
  expect(await last()).toMatchObject({
    state: "succeeded",
    attempts: 3,
    output: { id: 7, at: new Date(0) },
  });
  expect(await recorded()).toEqual([]);
});

test("what the step threw is the attempt's error, by its own name", async () => {
  const { enqueue, clock, broker } = await scene((step) =>
    step.run("mail", () => {
      throw new RangeError("too far");
    }),
  );
  await enqueue("t.job");
  await clock.advance("1m");
  expect(await broker.deadLetters.list()).toMatchObject([
    { reason: "attempts-exhausted", error: { type: "RangeError", message: "too far" } },
  ]);
});

test("a sleep holds no slot and spends no attempt, and the steps before it aren't run again", async () => {
  const { enqueue, clock, did, history, node, said } = await scene(async (step, done) => {
    await step.run("first", () => done.push("first"));
    await step.sleep("a while", "3h");
    await step.run("second", () => done.push("second"));
    return "end";
  });
  await enqueue("t.job");
  await clock.advance("1s");
  expect(node.running).toEqual([]);
  await clock.advance("2h");
  expect(did).toEqual(["first"]);
  await clock.advance("1h");
  expect(did).toEqual(["first", "second"]);
  expect(await history()).toMatchObject([
    { state: "requeued", outcome: "snoozed", attempts: 0 },
    { state: "succeeded", attempts: 1, output: "end" },
  ]);
  expect(said.filter((word) => word.startsWith("trouble"))).toEqual([]);
});

test("a job that fails after its sleep doesn't sleep once more", async () => {
  let fails = 1;
  const { enqueue, clock, last } = await scene(async (step) => {
    await step.sleepUntil("later", new Date(start + 3_600_000));
    if (fails-- > 0) throw new Error("not yet");
  });
  const start = clock.now();
  await enqueue("t.job");
  await clock.advance("1h");
  await clock.advance("11s");
  expect(await last()).toMatchObject({ state: "succeeded", attempts: 2 });
});

test("a holder that has lost its job doesn't write beside the next one", async () => {
  const server = new MemoryServer(new SimulatedClock());
  const clock = server.clock as SimulatedClock;
  const slow = latch<string>();
  const handles = {
    n1: () => slow.promise,
    n2: () => "of n2",
  };
  const jobOf = (name: "n1" | "n2") =>
    defineStepsJob().handler(async ({ step }) => {
      const value = await step.run("effect", () => handles[name]());
      await step.sleep("on", "1h");
      return value;
    });
  const one = await simulatedNode({ server, clock, jobs: [jobOf("n1")], name: "n1", slots: 1 });
  await one.enqueue("t.job");
  const two = await simulatedNode({ server, clock, jobs: [jobOf("n2")], name: "n2" });
  one.broker.loseLeases(QUEUE);
  await clock.advance("1s");
  slow.open("of n1");
  await clock.advance("2h");
  expect((await two.history()).at(-1)).toMatchObject({ state: "succeeded", output: "of n2" });
});

test("of two records of one step the first counts", async () => {
  const { enqueue, broker, run, last } = await scene((step) =>
    step.run("effect", async () => {
      const entry = { name: "effect", n: 0, at: 1, life: 0, kind: "run", outcome: "returned" };
      await broker.journal.write(
        run,
        { name: "effect", n: 0 },
        writeEntry({ ...entry, value: "the other's" } as Parameters<typeof writeEntry>[0]),
      );
      return "mine";
    }),
  );
  await enqueue("t.job");
  expect(await last()).toMatchObject({ state: "succeeded", output: "the other's" });
});

test("a result that comes in an outage is recorded when that is over, and the step is run once", async () => {
  const { enqueue, clock, broker, did, last } = await scene(async (step, done) => {
    await step.run("effect", () => {
      done.push("effect");
      broker.disconnect();
    });
    return "end";
  });
  await enqueue("t.job");
  await clock.advance("5s");
  broker.reconnect();
  await clock.advance("1m");
  expect(did).toEqual(["effect"]);
  expect(await last()).toMatchObject({ state: "succeeded", attempts: 1 });
});

test("steps side by side; a sleep among them waits for those that are under way", async () => {
  const slow = latch<number>();
  const { enqueue, clock, did, last, node } = await scene(async (step, done) => {
    const [a, , b] = await Promise.all([
      step.run("a", () => slow.promise),
      step.sleep("an hour", "1h"),
      step.run("b", () => (done.push("b"), 2)),
    ]);
    return [a, b];
  });
  await enqueue("t.job");
  await clock.advance("1m");
  expect(node.running).toHaveLength(1);
  slow.open(1);
  await clock.advance("1s");
  expect(node.running).toEqual([]);
  await clock.advance("1h");
  expect(did).toEqual(["b"]);
  expect(await last()).toMatchObject({ state: "succeeded", output: [1, 2] });
});

test("a sleep ends beside a step that is under way: so a step has a time limit", async () => {
  const slow = latch<string>();
  const { enqueue, clock, last } = await scene((step) =>
    Promise.race([
      step.run("slow", () => slow.promise),
      step.sleep("limit", "30s").then(() => "too slow"),
    ]),
  );
  await enqueue("t.job");
  await clock.advance("30s");
  // What is under way is waited for: its result is on record before the job ends.
  expect(await last()).toBeUndefined();
  slow.open("late");
  await clock.advance("1s");
  expect(await last()).toMatchObject({ state: "succeeded", output: "too slow" });
});

test("steps of one name are told apart by their order", async () => {
  const { enqueue, clock, did, last } = await scene(async (step, done) => {
    const values: number[] = [];
    for (const n of [1, 2, 3])
      values.push(
        await step.run("each", () => {
          done.push(`each ${n}`);
          return n * 10;
        }),
      );
    await step.sleep("s", "1m");
    return values;
  });
  await enqueue("t.job");
  await clock.advance("2m");
  expect(did).toEqual(["each 1", "each 2", "each 3"]);
  expect(await last()).toMatchObject({ output: [10, 20, 30] });
});

test("a step has one key, whenever it is run", async () => {
  const keys: string[] = [];
  const { enqueue, clock } = await scene(async (step) => {
    await step.run("other", ({ key }) => void keys.push(key));
    await step.run("charge", ({ key }) => {
      keys.push(key);
      if (keys.length < 3) throw new Error("declined");
    });
  });
  await enqueue("t.job");
  await clock.advance("1m");
  const [other, first, second] = keys;
  expect(first).toMatch(/^work\/a\/\d+\/charge\/0$/);
  expect(second).toBe(first);
  expect(other).not.toBe(first);
});

test("a failure that the handler goes on after stands, also after a sleep", async () => {
  const { enqueue, clock, did, last } = await scene(async (step, done) => {
    try {
      await step.run("charge", () => {
        done.push("charge");
        throw new RangeError("declined");
      });
    } catch (error) {
      if (!StepError.is(error)) throw error;
      await step.run("cancel order", () => done.push(`cancel: ${error.type} ${error.message}`));
    }
    await step.sleep("an hour", "1h");
    return "compensated";
  });
  await enqueue("t.job");
  await clock.advance("2h");
  expect(did).toEqual(["charge", "cancel: RangeError declined"]);
  expect(await last()).toMatchObject({ state: "succeeded", output: "compensated" });
});

test("what a step's function asks for is done, and is no failure of the step", async () => {
  const { enqueue, broker } = await scene((step) => step.run("check", () => fatal("never")));
  await enqueue("t.job");
  expect(await broker.deadLetters.list()).toMatchObject([{ reason: "fatal", attempts: 1 }]);
});

test("a schema checks what a step gives, and gives the handler its own value", async () => {
  const twice: Schema<unknown, string> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) =>
        typeof value === "number"
          ? { value: `#${value}` }
          : { issues: [{ message: "no number", path: ["n"] }] },
    },
  };
  const { enqueue, clock, last, did } = await scene(async (step, done) => {
    const first: string = await step.run("n", () => 7, { output: twice });
    await step.sleep("s", "1m");
    try {
      await step.run("bad", () => "seven", { output: twice });
    } catch (error) {
      done.push(StepError.is(error) ? `${error.type} ${error.message}` : "other");
    }
    return first;
  });
  await enqueue("t.job");
  await clock.advance("2m");
  expect(await last()).toMatchObject({ state: "succeeded", output: "#7" });
  expect(did).toEqual([
    'invalid-output The result of the step "bad" does not satisfy its schema: n: no number.',
  ]);
});

test("a step that nobody awaits comes to its record, and its failure harms nobody", async () => {
  const { enqueue, clock, did, last } = await scene((step, done) => {
    void step.run("left alone", async () => {
      await Promise.resolve();
      done.push("left alone");
    });
    void step.run("fails", () => Promise.reject(new Error("unheard")));
    return "end";
  });
  await enqueue("t.job");
  await clock.advance("1s");
  expect(did).toEqual(["left alone"]);
  expect(await last()).toMatchObject({ state: "succeeded", output: "end" });
});

test("a job that has ended elsewhere runs no step, though its records are forgotten", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const did: string[] = [];
  const job = defineStepsJob().handler(async ({ step, job: { id, name, createdAt } }) => {
    // What another node writes while this one stands still before its first step.
    const about = { id, name, createdAt, queue: QUEUE, attempts: 1, generation: 0, node: "n2" };
    const state = { state: "succeeded", outcome: "succeeded", firstStoredAt: createdAt } as const;
    server.history.add({ ...about, ...state, at: clock.now() });
    await step.run("charge", () => did.push("charge"));
  });
  const { enqueue, history, broker } = await simulatedNode({ server, clock, jobs: [job] });
  await enqueue("t.job");
  await clock.advance("5m");
  expect(did).toEqual([]);
  // It was let go, and recalled when it came again.
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0 });
  expect((await history()).map(({ state }) => state)).toEqual(["succeeded"]);
});
