import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Figure } from "../scenarios/figure.ts";
import type { Result, Verdict } from "../report/verdict.ts";
import { drawOverTime } from "./over-time.ts";
import { readRecords, recordOf, recordRun } from "./record.ts";

const rate = (perSecond: number, cpuUsEach: number): Figure => ({
  ...{ kind: "rate", perSecond, cpuUsEach, heapBytesEach: 1 },
});
const result = (role: Result["role"], median: Figure, ofLimit: number): Result => ({
  ...{ contender: role, role, durability: "page-cache", amount: 10 },
  ...{ median, rounds: [median], ofLimit, spread: [ofLimit - 0.1, ofLimit + 0.1] },
});
const verdict = (scenario: string, share: number): Verdict => ({
  ...{ scenario, question: "?", durability: "page-cache", amount: 10, goal: 0.5 },
  results: [result("limit", rate(100, 4), 1), result("subject", rate(share * 100, 10), share)],
  ...{ unable: {}, reached: share >= 0.5 },
});
const run = (share: number) => ({
  ...{ server: "2.15.2", rounds: 3, verdicts: [verdict("process", share)] },
});

async function recordFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-records-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, "bench.jsonl");
}

test("a run is added to its file with its commit, and all runs are drawn anew", async () => {
  const file = await recordFile();
  await recordRun(file, run(0.6));
  await recordRun(file, run(0.44));
  const records = await readRecords(file);
  expect(records).toMatchObject([
    { server: "2.15.2", rounds: 3, figures: [{ ofLimit: 0.6, reached: true }] },
    { figures: [{ scenario: "process", ofLimit: 0.44, spread: [0.34, 0.54], reached: false }] },
  ]);
  expect(records[0]?.figures[0]?.processorTimes).toBe(2.5);
  expect(records[0]?.commit).toMatch(/^[0-9a-f]{8}\+?$|^unknown$/);
  const picture = await readFile(file.replace("jsonl", "svg"), "utf8");
  expect(picture).toContain("44 %, misses its goal");
  expect(picture).toContain("60 % at first");
  expect(picture.match(/<polyline/g)).toHaveLength(1);
});

test("a scenario that not every run measured has its own places, and names are escaped", () => {
  const records = [
    run(0.6),
    { ...run(0.7), verdicts: [verdict("a<b", 0.5), verdict("process", 0.7)] },
  ].map((one, day) => recordOf(one, `c${day}`, new Date(Date.UTC(2030, 0, day + 1))));
  const picture = drawOverTime(records);
  expect(picture).toContain("a&#60;b, page-cache");
  expect(picture).toContain("2 runs from c0 (2030-01-01) to c1 (2030-01-02)");
  expect(picture.match(/<polyline/g)).toHaveLength(2);
});

test("a line that is no record is named, and nothing is added", async () => {
  const file = await recordFile();
  await writeFile(file, `${JSON.stringify(recordOf(run(0.6), "c0", new Date()))}\nhalf a rec\n`);
  await expect(recordRun(file, run(0.7))).rejects.toThrow(`${file}, line 2, is no record`);
  expect((await readFile(file, "utf8")).split("\n")).toHaveLength(3);
});
