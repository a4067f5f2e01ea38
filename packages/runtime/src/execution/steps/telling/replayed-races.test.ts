import { type Broker, StepError, type Steps, writeSignal } from "@millrace/core";
import { expect, test } from "vitest";
import { latch, QUEUE } from "../../../fixtures/simulated-node.ts";
import { scene } from "../../../fixtures/recorded-steps.ts";

const signal = (broker: Broker, name: string): Promise<void> =>
  broker.signals.send({ queue: QUEUE, id: "a", name }, writeSignal(null, `${name}-1`));

/** A step that has half a minute, and what follows from its end. */
const racing = (charge: () => string | Promise<string>) =>
  scene(async (step, done) => {
    const winner = await Promise.race([
      step.run("charge", charge),
      step.sleep("limit", "30s").then(() => "late"),
    ]);
    await step.run(winner === "late" ? "refund" : "ship", () => done.push(winner));
    await step.sleep("a day", "1d");
    return winner;
  });

test("a race that a run has won against a sleep is not lost by a later attempt", async () => {
  const { enqueue, clock, did, last } = await racing(() => "charged");
  await enqueue("t.job");
  await clock.advance("1d");
  await clock.advance("1m");
  expect(did).toEqual(["charged"]);
  expect(await last()).toMatchObject({ state: "succeeded", output: "charged", attempts: 1 });
});

test("a race that a sleep has won stays won once the run has its record too", async () => {
  const slow = latch<string>();
  const { enqueue, clock, did, last } = await racing(() => slow.promise);
  await enqueue("t.job");
  await clock.advance("40s");
  slow.open("charged");
  await clock.advance("1d");
  await clock.advance("1m");
  expect(did).toEqual(["late"]);
  expect(await last()).toMatchObject({ state: "succeeded", output: "late" });
});

test("of two waits the one whose signal came first has won, also when the other's comes", async () => {
  const { enqueue, clock, broker, did, last } = await scene(async (step, done) => {
    const winner = await Promise.race([
      step.waitFor("approve").then(() => "approved"),
      step.waitFor("reject").then(() => "rejected"),
    ]);
    await step.run(winner === "approved" ? "ship" : "refund", () => done.push(winner));
    await step.sleep("a day", "1d");
    return winner;
  });
  await enqueue("t.job");
  await clock.advance("1s");
  await signal(broker, "reject");
  await clock.advance("1m");
  await signal(broker, "approve");
  await clock.advance("2d");
  expect(did).toEqual(["rejected"]);
  expect(await last()).toMatchObject({ state: "succeeded", output: "rejected" });
});

test("of two runs the one that has ended first has won, though it was asked for last", async () => {
  const slow = latch<string>();
  const { enqueue, clock, did, last } = await scene(async (step, done) => {
    const winner = await Promise.race([
      step.run("slow", () => slow.promise),
      step.run("quick", () => "quick"),
    ]);
    await step.run(winner, () => {
      done.push(winner);
      slow.open("slow");
    });
    await step.sleep("a day", "1d");
    return winner;
  });
  await enqueue("t.job");
  await clock.advance("2d");
  expect(did).toEqual(["quick"]);
  expect(await last()).toMatchObject({ state: "succeeded", output: "quick" });
});

test("branches whose steps have one name keep their own records, in whatever order they ended", async () => {
  const accounts = { ann: latch<string>(), bob: latch<string>() };
  const keys = new Map<string, Set<string>>();
  let fails = 1;
  const { enqueue, clock, did, last } = await scene(async (step, done) =>
    Promise.all(
      (["ann", "bob"] as const).map(async (name) => {
        const account = await step.run("account", () => accounts[name].promise);
        return step.run("pay", ({ key }) => {
          keys.set(name, (keys.get(name) ?? new Set()).add(key));
          if (name === "ann" && fails-- > 0) throw new Error("not now");
          done.push(account);
          return `receipt of ${account}`;
        });
      }),
    ),
  );
  await enqueue("t.job");
  accounts.bob.open("bob");
  await clock.advance("1s");
  accounts.ann.open("ann");
  await clock.advance("1m");
  expect(did).toEqual(["bob", "ann"]);
  expect([...keys.values()].map(({ size }) => size)).toEqual([1, 1]);
  expect(await last()).toMatchObject({
    state: "succeeded",
    output: ["receipt of ann", "receipt of bob"],
  });
});

const failing = (step: Steps, did: string[]) =>
  step.run("pay", () => {
    did.push("pay");
    throw new RangeError("declined");
  });

test("a step that failed beside a wait is not run again by each wake", async () => {
  const { enqueue, clock, broker, did, last } = await scene(async (step, done) => {
    const [paid] = await Promise.allSettled([
      failing(step, done),
      step.waitFor("approval"),
      step.waitFor("other"),
    ]);
    return StepError.is((paid as PromiseRejectedResult).reason);
  });
  await enqueue("t.job");
  await clock.advance("1s");
  await signal(broker, "other");
  await clock.advance("1m");
  await signal(broker, "approval");
  await clock.advance("1m");
  expect(did).toEqual(["pay"]);
  expect(await last()).toMatchObject({ state: "succeeded", output: true });
});

test("a failure beside a wait that is thrown on after it has the step run by the next attempt", async () => {
  const { enqueue, clock, broker, did } = await scene(async (step, done) => {
    const [paid] = await Promise.allSettled([failing(step, done), step.waitFor("approval")]);
    if (paid.status === "rejected") throw paid.reason;
  });
  await enqueue("t.job");
  await clock.advance("1s");
  await signal(broker, "approval");
  await clock.advance("1m");
  expect(did).toEqual(["pay", "pay", "pay"]);
  expect(await broker.deadLetters.list()).toMatchObject([
    { reason: "attempts-exhausted", attempts: 3, error: { type: "RangeError" } },
  ]);
});

test("no step begins while a failure before it comes on record", async () => {
  const kept = latch<void>();
  const { enqueue, clock, broker, did, last } = await scene(async (step, done) => {
    try {
      await failing(step, done);
    } catch {
      const audited = Promise.resolve()
        .then(() => new Promise<void>((resolve) => clock.setTimer(2, resolve)))
        .then(() => step.run("close account", () => done.push("close account")));
      await Promise.all([step.run("note", () => done.push("note")), audited]);
    }
  });
  const write = broker.journal.write.bind(broker.journal);
  broker.journal.write = async (run, step, ...rest) => {
    if (step.name === "pay") await kept.promise;
    return write(run, step, ...rest);
  };
  await enqueue("t.job");
  await clock.advance("1s");
  expect(did).toEqual(["pay"]);
  kept.open();
  await clock.advance("1s");
  expect(did).toEqual(["pay", "note", "close account"]);
  expect(await last()).toMatchObject({ state: "succeeded" });
});

test("steps one after another cost no further write, nor does a sleep with nothing open", async () => {
  const { enqueue, clock, broker, last } = await scene(async (step) => {
    await step.run("one", () => 1);
    await step.sleep("a while", "1m");
    await step.sleep("a while", "1m");
    await Promise.all([step.sleep("b", "2m"), step.sleep("c", "1m"), step.run("two", () => 2)]);
    return "end";
  });
  let writes = 0;
  const write = broker.journal.write.bind(broker.journal);
  broker.journal.write = async (...all) => {
    writes += 1;
    return write(...all);
  };
  await enqueue("t.job");
  await clock.advance("10m");
  expect(await last()).toMatchObject({ state: "succeeded" });
  expect(writes).toBe(6);
});
