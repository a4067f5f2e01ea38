import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { said, standalone } from "../../site/simulator/draw.ts";
import { CONTROLS, FIRST, type StreamSettings } from "../../site/simulator/settings.ts";
import { simulate } from "../../site/simulator/simulate.ts";
import { type Summary, summaries } from "../../site/simulator/summary.ts";

const PICTURE = resolve(import.meta.dirname, "../../docs/stream.svg");

/** What the table of the playground says of a stream, by customer and lane. */
async function figures(settings: Partial<StreamSettings>) {
  const jobs = await simulate({ ...FIRST, ...settings });
  const lines = summaries(jobs);
  return (of: string): Summary => {
    const line = lines.find((one) => one.of === of);
    if (line === undefined) throw new Error(`${of} has no line`);
    return line;
  };
}

test("the picture in the repository is what the stream draws", async () => {
  expect(readFileSync(PICTURE, "utf8")).toBe(standalone(await simulate(FIRST)));
});

test("no job is lost at the ends of any control, and none runs beyond a limit", async () => {
  for (const { name, least, most } of CONTROLS)
    for (const value of [least, most]) {
      const settings = { ...FIRST, [name]: value };
      const of = await figures(settings);
      expect(of("all").jobs, name).toBe(48);
      expect(of("all").atOnce, name).toBeLessThanOrEqual(settings.slots);
      if (settings.cap > 0) expect(of("Ada").atOnce, name).toBeLessThanOrEqual(settings.cap);
    }
});

test("what the page says of each thing to try is so", async () => {
  const first = await figures({});
  const noCap = await figures({ cap: 0 });
  expect(noCap("Bo").waitMs).toBeGreaterThan(first("Bo").waitMs);
  expect(noCap("Cy").waitMs).toBeGreaterThan(first("Cy").waitMs);
  expect(noCap("Ada").waitMs).toBeLessThan(first("Ada").waitMs);
  const one = await figures({ cap: 1 });
  expect(one("Cy").waitMs).toBe(0);
  expect(one("Ada").atOnce).toBe(1);
  const oneSlot = await figures({ slots: 1, cap: 0 });
  expect(oneSlot("high lane").waitMs).toBeLessThan(oneSlot("normal lane").waitMs);
  const dead = await Promise.all(
    [1, 2, 5].map(async (attempts) => (await figures({ failing: 70, attempts }))("all").dead),
  );
  expect(dead).toEqual(dead.toSorted((a, b) => b - a));
  expect(dead[0]).toBeGreaterThan(2 * (dead[2] as number));
});

test("a rate lets so many start at once, and then one at a time", async () => {
  const jobs = await simulate({ ...FIRST, rate: 4 });
  const starts = jobs
    .filter(({ customer }) => customer === "Ada")
    .flatMap(({ spans }) => spans.filter(({ what }) => /running|failed/.test(what)))
    .map(({ fromMs }) => fromMs)
    .toSorted((a, b) => a - b);
  for (const [index, start] of starts.slice(4).entries())
    expect(start, `start ${index + 5}`).toBeGreaterThanOrEqual(2_500 * (index + 1));
});

test("a stream that can't end is left, and says so", async () => {
  const slow = await simulate({ ...FIRST, rate: 1, perSecond: 10 });
  expect(said(slow)).toMatch(/have not ended after 3 minutes/);
});
