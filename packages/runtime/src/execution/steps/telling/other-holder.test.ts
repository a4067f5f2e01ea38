import { type JournalEntry, writeEntry } from "@millrace/core";
import { expect, test } from "vitest";
import { scene } from "../../../fixtures/recorded-steps.ts";
import { latch } from "../../../fixtures/simulated-node.ts";

test("a run whose order is not that on record begins again, in the order of the record", async () => {
  const slow = latch<string>();
  const { enqueue, clock, broker, did, last, run } = await scene(async (step, done) => {
    const winner = await Promise.race([
      step.run("slow", () => slow.promise),
      step.run("quick", () => "quick"),
    ]);
    await step.run("told", () => done.push(winner));
    await step.run("first", () => slow.open("slow"));
    await step.sleep("an hour", "1h");
    return winner;
  });
  const write = broker.journal.write.bind(broker.journal);
  const theirs: JournalEntry = {
    ...{ name: "slow", n: 0, at: 1, life: 0, kind: "run", outcome: "returned", value: "theirs" },
  };
  broker.journal.write = async (to, step, ...rest) => {
    // Another holder, which knows no better either, has its own record there before.
    if (step.name === "quick") await write(run, theirs, writeEntry(theirs));
    return write(to, step, ...rest);
  };
  await enqueue("t.job");
  await clock.advance("2h");
  expect(did).toEqual(["quick"]);
  expect(await last()).toMatchObject({ state: "succeeded", output: "theirs", attempts: 1 });
});
