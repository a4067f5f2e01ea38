import { cancel, fatal, type OutcomeSignal, retryAfter, snooze } from "@millrace/core";
import { expect, test } from "vitest";
import { scene } from "../../fixtures/recorded-steps.ts";

const WISHES: readonly (readonly [what: string, wish: () => OutcomeSignal, ends: object])[] = [
  ["fatal", () => fatal("declined"), { state: "dead", outcome: "failed", reason: "fatal" }],
  ["cancel", () => cancel("not wanted"), { state: "cancelled", reason: "not wanted" }],
  ["retryAfter", () => retryAfter("1h", "busy"), { state: "requeued", outcome: "failed" }],
  ["snooze", () => snooze("1h"), { state: "requeued", outcome: "snoozed" }],
];

test.each(WISHES)(
  "%s() of a step that the handler catches ends the attempt at the next step, which is not run",
  async (_what, wish, ends) => {
    const { enqueue, clock, did, last } = await scene(async (step, done) => {
      try {
        await step.run("charge", () => {
          done.push("charge");
          throw wish();
        });
      } catch {
        await step.run("close the account", () => void done.push("close"));
      }
      return "went on";
    });
    await enqueue("t.job");
    await clock.advance("1m");
    expect(did).toEqual(["charge"]);
    expect(await last()).toMatchObject(ends);
  },
);

test("a step beside it comes to its end and its record before the attempt does", async () => {
  const { enqueue, clock, did, last, recorded } = await scene(async (step, done) => {
    const beside = step.run("slow", async () => {
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      done.push("slow");
    });
    await step
      .run("charge", () => {
        done.push("charge");
        throw did.filter((one) => one === "charge").length < 2 ? snooze("1h") : cancel("enough");
      })
      .catch(() => step.sleep("a while", "1m"));
    await beside;
  });
  await enqueue("t.job");
  await clock.advance("1m");
  expect((await recorded()).length).toBe(1);
  await clock.advance("2h");
  expect(did).toEqual(["charge", "slow", "charge"]);
  expect(await last()).toMatchObject({ state: "cancelled", reason: "enough" });
});
