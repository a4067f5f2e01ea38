// A queue that gets more than its nodes do is told before its oldest job is old.
import { defineJob } from "millrace";
import { expect, test } from "vitest";
import { scene } from "./scene.ts";

const print = defineJob<number>({ name: "paper.print", queue: "paper" });

interface Overview {
  readonly problems: readonly { readonly text: string; readonly link: string }[];
}

test("the overview tells of a queue in which more and more jobs wait, once the samples show it", async () => {
  const { t, get } = await scene();
  await t.client.queues.ensure("paper");
  const pilesUp = async (): Promise<readonly unknown[]> =>
    (await get<Overview>("overview")).problems.filter(({ text }) => text.includes("piling up"));
  for (let minute = 1; minute <= 12; minute += 1) {
    await t.client.enqueueMany(
      print,
      Array.from({ length: 20 }, (_, n) => ({ input: n })),
    );
    // Samples of five minutes and less say nothing yet.
    if (minute <= 6) expect(await pilesUp()).toEqual([]);
    await t.clock.advance("1m");
  }
  expect(await pilesUp()).toEqual([
    {
      severity: "warning",
      text: expect.stringMatching(
        /^Queue paper is piling up: 240 jobs wait, and \d+ did 10m ago\.$/,
      ) as string,
      link: "queues/paper",
    },
  ]);
  // Nothing comes any more.
  await t.clock.advance("12m");
  expect(await pilesUp()).toEqual([]);
});

test("an overview is told without samples where they can't be read", async () => {
  const { t, get } = await scene();
  await t.client.queues.ensure("paper");
  t.client.samples.list = () => Promise.reject(new Error("no permission"));
  expect(await get<Overview>("overview")).toMatchObject({ problems: [] });
});
