import type { Steps } from "@millrace/core";
import { expect, test } from "vitest";
import { scene } from "../../../fixtures/recorded-steps.ts";

type Scene = Awaited<ReturnType<typeof scene>>;
type Handle = (step: Steps, wait: (ms: number) => Promise<void>, did: string[]) => unknown;

/** A job whose handler can await something else than steps. */
async function waiting(handle: Handle): Promise<Scene> {
  const wait = (ms: number): Promise<void> =>
    new Promise((resolve) => void made.clock.setTimer(ms, resolve));
  const made: Scene = await scene((step, did) => handle(step, wait, did));
  return made;
}

const PEOPLE = ["ann", "bob", "cat"];

/** Takes a tenth of a second. */
const pay =
  (step: Steps, wait: (ms: number) => Promise<void>, did: string[]) =>
  (who: string): Promise<void> =>
    step.run("pay", async () => {
      await wait(100);
      did.push(who);
    });

test.each<[string, Handle]>([
  [
    "have looked something up",
    (step, wait, did) =>
      Promise.all(
        PEOPLE.map(async (who, n) => {
          await wait(10 * n + 10);
          await pay(step, wait, did)(who);
        }),
      ),
  ],
  [
    "have looked something up behind a step",
    (step, wait, did) =>
      Promise.all(
        PEOPLE.map(async (who, n) => {
          await step.run("ask", () => who);
          await wait(10 * n);
          await pay(step, wait, did)(who);
        }),
      ),
  ],
  [
    "wait, or have done another step",
    (step, wait, did) =>
      Promise.all([
        step.run("ask", () => "ann").then(pay(step, wait, did)),
        wait(10).then(() => pay(step, wait, did)("bob")),
      ]),
  ],
])("steps of one name are refused whose branches %s", async (_what, handle) => {
  const { enqueue, clock, broker, did } = await waiting((step, wait, done) =>
    handle(step, wait, done),
  );
  await enqueue("t.job");
  await clock.advance("5m");
  // What was begun is on record.
  expect(did).toEqual(["ann"]);
  expect(await broker.deadLetters.list()).toMatchObject([
    { reason: "fatal", error: { type: "invalid-step" } },
  ]);
});

test.each<[string, Handle]>([
  [
    "ask one after another, each behind a wait in a function of its own",
    async (step, wait, did) => {
      const after = async (who: string): Promise<void> => {
        await wait(10);
        await pay(step, wait, did)(who);
      };
      for (const who of PEOPLE) await after(who);
    },
  ],
  [
    "ask one after another, and await all in the end",
    async (step, wait, did) => {
      const paid: Promise<void>[] = [];
      for (const who of PEOPLE) {
        await wait(10);
        paid.push(pay(step, wait, did)(who));
      }
      await Promise.all(paid);
    },
  ],
  [
    "ask at once, or later",
    (step, wait, did) =>
      Promise.all([
        ...["ann", "bob"].map(pay(step, wait, did)),
        wait(10).then(() => pay(step, wait, did)("cat")),
      ]),
  ],
  [
    "ask at once behind one wait",
    async (step, wait, did) => {
      await wait(10);
      await Promise.all(PEOPLE.map(pay(step, wait, did)));
    },
  ],
  [
    "ask at once behind one wait, in functions of their own",
    async (step, wait, did) => {
      await wait(10);
      await Promise.all(
        PEOPLE.map(async (who) => {
          await Promise.resolve();
          await pay(step, wait, did)(who);
        }),
      );
    },
  ],
  [
    "await nothing but steps",
    (step, wait, did) =>
      Promise.all(
        PEOPLE.map(async (who, n) => {
          await step.version();
          await step.run("ask", () => wait(30 - 10 * n));
          await step.sleep("a moment", 10 * n + 5);
          await pay(step, wait, did)(who);
        }),
      ),
  ],
])("steps of one name are taken whose branches %s", async (_what, handle) => {
  const { enqueue, clock, did, last } = await waiting(handle);
  await enqueue("t.job");
  await clock.advance("5m");
  expect(did.toSorted()).toEqual(PEOPLE);
  expect(await last()).toMatchObject({ state: "succeeded", attempts: 1 });
});
