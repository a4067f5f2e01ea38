import { defineJob, MAX_STEP_BYTES, MAX_STEPS, MillraceError, type Steps } from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";
import { defineStepsJob } from "../../fixtures/steps-scene.ts";
import { scene } from "../../fixtures/recorded-steps.ts";

const dies = async (
  handle: (step: Steps, did: string[]) => unknown,
  code: string,
  words: RegExp,
): Promise<readonly string[]> => {
  const { enqueue, clock, broker, did } = await scene(handle);
  await enqueue("t.job");
  await clock.advance("1h");
  const [letter] = await broker.deadLetters.list();
  expect(letter).toMatchObject({ reason: "fatal", error: { type: code } });
  expect(letter?.error?.message).toMatch(words);
  return did;
};

async function smallScene(handle: (step: Steps, did: string[]) => unknown) {
  const did: string[] = [];
  const job = defineStepsJob().handler(async ({ step }) => handle(step, did));
  return { did, ...(await simulatedNode({ jobs: [job], maxMessageBytes: 16_384 })) };
}

test("a result that can't be recorded ends the job at once, and names the place", async () => {
  const did = await dies(
    (step, done) =>
      step.run("load", () => {
        done.push("load");
        return { users: [{ roles: new Map([["a", 1]]) }] };
      }),
    "unserializable-payload",
    /"load".*result\.users\[0\]\.roles is a Map/,
  );
  expect(did).toEqual(["load"]);
});

test("a result that is too large ends the job at once", async () => {
  await dies(
    (step) => step.run("load", () => "x".repeat(MAX_STEP_BYTES)),
    "step-too-large",
    /"load" takes \d+ bytes/,
  );
});

test("a result that the server takes no message of ends the job at once, though a step may have more", async () => {
  const { enqueue, clock, broker, did } = await smallScene(async (step, done) => {
    await step.run("charge", () => {
      done.push("charge");
      return "x".repeat(30_000);
    });
  });
  await enqueue("t.job");
  await clock.advance("1h");
  expect(did).toEqual(["charge"]);
  const [letter] = await broker.deadLetters.list();
  expect(letter).toMatchObject({ reason: "fatal", error: { type: "step-too-large" } });
  expect(letter?.error?.message).toMatch(/"charge" takes \d+ bytes, and 25600 is the most/);
});

test("a result that is larger than a job's message may be is recorded, where the server takes it", async () => {
  const { enqueue, clock, did, history } = await smallScene(async (step, done) => {
    const text = await step.run("read", () => {
      done.push("read");
      return "x".repeat(20_000);
    });
    await step.sleep("rest", "1h");
    return text.length;
  });
  await enqueue("t.job");
  await clock.advance("2h");
  expect(did).toEqual(["read"]);
  expect((await history()).at(-1)).toMatchObject({ state: "succeeded", output: 20_000 });
});

test("a signal that no record has room for is passed over, and one after it is taken", async () => {
  const { enqueue, clock, broker, history } = await smallScene((step) => step.waitFor("approval"));
  const signal = (text: string): Promise<void> =>
    broker.signals.send(
      { queue: QUEUE, id: "a", name: "approval" },
      { data: new TextEncoder().encode(JSON.stringify(text)) },
    );
  await enqueue("t.job");
  await signal("x".repeat(25_550));
  await clock.advance("1m");
  expect((await history()).at(-1)).toMatchObject({ state: "requeued" });
  await signal("fits");
  await clock.advance("1m");
  expect((await history()).at(-1)).toMatchObject({ state: "succeeded", output: "fits" });
});

test("no signal that is about as large as a record may be ends its job", async () => {
  const { enqueue, clock, broker, last } = await scene((step) => step.waitFor("approval"));
  await enqueue("t.job");
  for (let spare = 30; spare < 250; spare += 4) {
    const data = new TextEncoder().encode(JSON.stringify("x".repeat(MAX_STEP_BYTES - spare)));
    await broker.signals.send({ queue: QUEUE, id: "a", name: "approval" }, { data });
  }
  await clock.advance("1m");
  expect(await last()).toMatchObject({ state: "succeeded", output: /^x+$/ });
});

test.each(["permission-denied", "payload-too-large", "queue-not-found"] as const)(
  "a step has run once where the server refuses its record for good, whatever the handler catches: %s",
  async (code) => {
    const { enqueue, clock, broker, did } = await scene(async (step, done) => {
      try {
        await step.run("charge", () => void done.push("charge"));
      } catch {
        done.push("caught");
      }
    });
    const { journal } = broker;
    journal.write = () => Promise.reject(new MillraceError(code, "Not here."));
    await enqueue("t.job");
    await clock.advance("1h");
    expect(did).toEqual(["charge"]);
    const [letter] = await broker.deadLetters.list();
    expect(letter).toMatchObject({ reason: "fatal", attempts: 1, error: { type: code } });
    expect(letter?.error?.message).toMatch(/"charge" has run, .*Not here\./);
  },
);

test.each(["permission-denied", "payload-too-large"] as const)(
  "a step whose failure was caught has run once where the server refuses its record for good: %s",
  async (code) => {
    const { enqueue, clock, broker, did } = await scene(async (step, done) => {
      try {
        await step.run("charge", () => {
          done.push("charge");
          throw new Error("No money.");
        });
      } catch {
        done.push("caught");
      }
      await step.run("tell", () => void done.push("told"));
    });
    const { journal } = broker;
    journal.write = () => Promise.reject(new MillraceError(code, "Not here."));
    await enqueue("t.job");
    await clock.advance("1h");
    expect(did).toEqual(["charge", "caught"]);
    const [letter] = await broker.deadLetters.list();
    expect(letter).toMatchObject({ reason: "fatal", attempts: 1, error: { type: code } });
    expect(letter?.error?.message).toMatch(/"charge" has run, .*\(Error: No money\.\).*Not here\./);
  },
);

test("the steps of a job have a bound in number and in bytes together", async () => {
  await dies(
    async (step) => {
      for (let n = 0; n <= MAX_STEPS; n += 1) await step.run("again", () => n);
    },
    "too-many-steps",
    /more than 1000 steps/,
  );
  await dies(
    async (step) => {
      for (;;) await step.run("big", () => "x".repeat(200_000));
    },
    "step-too-large",
    /"big" \(number 21\)/,
  );
});

test("code that doesn't ask for what is on record, or for something else of its name, is told so", async () => {
  let version = 1;
  const changing = (next: (step: Steps) => unknown) => async (step: Steps) => {
    if (version > 1) return next(step);
    version += 1;
    await step.run("charge", () => 1);
    return step.sleep("an hour", "1h");
  };
  await changed(
    changing((step) => step.sleep("an hour", "1h")),
    /without asking for.*"charge"/,
  );
  version = 1;
  await changed(
    changing((step) => step.sleep("charge", "1h")),
    /"charge" is on record as step\.run.*step\.sleep/,
  );
});

async function changed(handle: (step: Steps) => unknown, words: RegExp): Promise<void> {
  const { enqueue, clock, broker } = await scene(handle);
  await enqueue("t.job");
  await clock.advance("2h");
  const [letter] = await broker.deadLetters.list();
  expect(letter).toMatchObject({ reason: "fatal", error: { type: "journal-mismatch" } });
  expect(letter?.error?.message).toMatch(words);
}

test("a step that can't be is refused: a bad name, no function, no moment, within another", async () => {
  const codes: unknown[] = [];
  const tell = (error: unknown) => void codes.push(MillraceError.is(error) && error.code);
  const { enqueue, last } = await scene(async (step) => {
    await step.run("", () => 1).catch(tell);
    await step.run(7 as unknown as string, () => 1).catch(tell);
    await step.run("x".repeat(129), () => 1).catch(tell);
    await step.run("no function", 1 as unknown as () => number).catch(tell);
    for (const at of [new Date(Number.NaN), Number.MAX_SAFE_INTEGER, 8.64e15 + 1, -1])
      try {
        void step.sleepUntil("never", at);
      } catch (error) {
        tell(error);
      }
    await step.run("outer", async () => {
      await step.run("inner", () => 1).catch(tell);
    });
  });
  await enqueue("t.job");
  expect(codes).toEqual(Array.from({ length: 9 }, () => "invalid-step"));
  expect(await last()).toMatchObject({ state: "succeeded" });
});

test("without steps: true there are no steps", async () => {
  const job = defineJob({ name: "t.job", queue: QUEUE }).handler(({ step }) => step);
  const { enqueue, broker, clock } = await simulatedNode({ jobs: [job] });
  await enqueue("t.job");
  await clock.advance("1h");
  expect(await broker.deadLetters.list()).toMatchObject([{ error: { type: "invalid-step" } }]);
  expect(() => defineJob({ name: "t", steps: true, isolation: "thread" })).toThrow(/steps/);
});
