// What the plots are drawn from, over more days than they show.
import { openJobIndex } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { charge, type Scene, scene, send } from "./scene.ts";

interface Plots {
  readonly from: number;
  readonly to: number;
  readonly ended: Readonly<Record<"at" | "succeeded" | "failed" | "dead", readonly number[]>>;
  readonly sampled: Readonly<Record<"at" | "delayed" | "slots", readonly (number | null)[]>>;
  readonly queues?: Readonly<Record<string, { readonly queued: readonly (number | null)[] }>>;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAYS = 8;
const FULL_STEPS = [
  ["5m", 5, MINUTE_MS],
  ["15m", 15, MINUTE_MS],
  ["1h", 60, MINUTE_MS],
  ["6h", 180, 2 * MINUTE_MS],
  ["24h", 144, 10 * MINUTE_MS],
  ["7d", 168, HOUR_MS],
] as const;

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

/** Eight days of a fleet: jobs at each sixth hour, and one more each day that waits for long. */
async function eightDays(): Promise<Scene & { readonly endedAt: readonly number[] }> {
  const of = await scene({
    search: async (t) => {
      const index = await openJobIndex({
        ...{ broker: t.client.broker, mask: t.client.mask, clock: t.clock },
        ...{ keepMs: 30 * 24 * HOUR_MS },
      });
      onTestFinished(() => index.close());
      return index;
    },
  });
  const { t } = of;
  of.bankIs("up");
  await t.clock.advance(HOUR_MS - (t.clock.now() % HOUR_MS));
  const endedAt: number[] = [];
  for (let hour = 0; hour < DAYS * 24; hour += 1) {
    await t.clock.advance("5m");
    if (hour % 24 === 0) await t.enqueue(send, { n: hour }, { delay: "30d" });
    if (hour % 6 === 0)
      for (let n = 0; n <= hour % 5; n += 1) {
        await t.enqueue(charge, { n });
        endedAt.push(t.clock.now());
      }
    await t.client.samples.take();
    await t.clock.advance("55m");
  }
  await t.clock.advance("30m");
  return { ...of, endedAt };
}

test("plots of each range tell each of its steps, up to seven days", async () => {
  const { t, get, endedAt } = await eightDays();
  for (const [range, steps, stepMs] of FULL_STEPS) {
    const { from, to, ended, sampled } = await get<Plots>(`plots?range=${range}&queue=billing`);
    expect(ended.at).toHaveLength(steps);
    expect(sampled.at).toEqual(ended.at);
    expect(from % stepMs).toBe(0);
    expect(to).toBe(t.clock.now());
    // No step is missing, and none is there twice.
    for (const [n, at] of ended.at.entries()) expect(at).toBe(from + n * stepMs);
    const expected = ended.at.map(
      (at) => endedAt.filter((one) => one >= at && one < at + stepMs).length,
    );
    expect(ended.succeeded).toEqual(expected);
    expect(sum([...ended.failed, ...ended.dead])).toBe(0);
  }
  const { ended } = await get<Plots>("plots?range=7d&queue=billing");
  expect(sum(ended.succeeded)).toBeGreaterThan(50);
  expect(sum(ended.succeeded)).toBeLessThan(endedAt.length);

  const { sampled } = await get<Plots>("plots?range=7d&queue=mail");
  // One more each day: the second waits when the seven days begin. No hour is missing.
  const delayed = sampled.delayed.map((count) => count ?? -1);
  expect(delayed.toSorted((a, b) => a - b)).toEqual(delayed);
  const hours = [2, 3, 4, 5, 6, 7, 8].map((of) => delayed.filter((one) => one === of).length);
  expect(hours).toEqual([23, 24, 24, 24, 24, 24, 25]);
  // Also in the hours in which nothing moved.
  expect(new Set(sampled.slots).size).toBe(1);
  expect(sampled.slots[0]).toBeGreaterThan(0);
});
