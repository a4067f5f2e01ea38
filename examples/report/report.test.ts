import { createTestRuntime } from "millrace/testing";
import { expect, test } from "vitest";
import { type DailyReport, nightly, reportFrom } from "./report.ts";

function books() {
  const stored: [day: string, report: DailyReport][] = [];
  return {
    stored,
    salesOf: () => Promise.resolve([12, 30]),
    store: (day: string, report: DailyReport) => Promise.resolve(void stored.push([day, report])),
  };
}

test("every night there is one report, at three in Berlin", async () => {
  const { stored, ...rest } = books();
  await using t = await createTestRuntime({
    jobs: [reportFrom(rest)],
    schedules: [nightly],
    startMs: Date.parse("2030-06-01T00:00:00Z"),
  });
  await t.clock.advance("1h");
  await t.drain();
  expect(stored).toEqual([["2030-05-31", { sales: 2, total: 42 }]]);
  await t.clock.advance("1d");
  await t.drain();
  expect(stored.map(([day]) => day)).toEqual(["2030-05-31", "2030-06-01"]);
});

test("it can be run by hand, and be paused", async () => {
  const { stored, ...rest } = books();
  await using t = await createTestRuntime({
    jobs: [reportFrom(rest)],
    schedules: [nightly],
    startMs: Date.parse("2030-06-01T00:00:00Z"),
  });
  await t.client.cron.pause("nightly-report");
  await t.clock.advance("2h");
  expect(stored).toEqual([]);
  const handle = await t.client.cron.run("nightly-report");
  await t.drain();
  await t.assertSucceeded(handle);
  expect(await t.client.cron.history("nightly-report")).toMatchObject([
    { what: "run", latest: { state: "succeeded" } },
  ]);
});
