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

/** Later than the answers of steps that are done at once. */
async function inAWhile(): Promise<void> {
  for (let n = 0; n < 6; n += 1) await new Promise((resolve) => setImmediate(resolve));
}

test("a failure that the handler has caught beside it stands: its step is not run again", async () => {
  const { enqueue, clock, did, last } = await scene(async (step, done) => {
    const card = step.run("charge card", () => {
      done.push("card");
      throw new Error("declined");
    });
    const stock = step.run("reserve", async () => {
      await inAWhile();
      done.push("reserve");
      if (done.filter((one) => one === "reserve").length === 1) throw snooze("1h");
    });
    await Promise.all([card.catch(() => "other way"), stock.catch(() => {})]);
    await step.run("mail", () => void done.push("mail"));
  });
  await enqueue("t.job");
  await clock.advance("3h");
  expect(did).toEqual(["card", "reserve", "reserve", "mail"]);
  expect(await last()).toMatchObject({ state: "succeeded" });
});

test("it ends the attempt of a handler that only sleeps after it, too", async () => {
  const { enqueue, clock, did, last } = await scene(async (step, done) => {
    await Promise.all([
      step.sleep("pause", "1h"),
      step
        .run("charge", () => {
          done.push("charge");
          throw fatal("declined");
        })
        .catch(() => {}),
    ]);
    await step.run("mail", () => void done.push("mail"));
  });
  await enqueue("t.job");
  await clock.advance("3h");
  expect(did).toEqual(["charge"]);
  expect(await last()).toMatchObject({ state: "dead", reason: "fatal", attempts: 1 });
});

test("what stood aside in a race counts once the handler was told: a later run goes on", async () => {
  const { enqueue, clock, did, last } = await scene(async (step, done) => {
    const poll = step.run("poll", async () => {
      await new Promise((resolve) => setImmediate(resolve));
      done.push("poll");
      throw snooze("1h");
    });
    const slow = step.run("slow", async () => {
      await inAWhile();
      done.push("slow");
    });
    await Promise.race([poll, slow]).catch(() => {});
    await step.run("mail", () => void done.push("mail"));
  });
  await enqueue("t.job");
  await clock.advance("48h");
  expect(did).toEqual(["poll", "slow", "poll", "mail"]);
  expect(await last()).toMatchObject({ state: "succeeded" });
});

test("so does what one of Promise.any asks for, of which another has answered", async () => {
  const { enqueue, clock, did, history } = await scene(async (step, done) => {
    const got = await Promise.any([
      step.run("provider A", () => {
        done.push("A");
        throw retryAfter("1h", "busy");
      }),
      step.run("provider B", async () => {
        await inAWhile();
        done.push("B");
        return "b";
      }),
    ]);
    await step.run("use", () => void done.push("use"));
    return got;
  });
  await enqueue("t.job");
  await clock.advance("48h");
  expect(did).toEqual(["A", "B", "A", "use"]);
  const ends = (await history()).map(({ outcome }) => outcome);
  expect(ends).toEqual(["failed", "succeeded"]);
});
