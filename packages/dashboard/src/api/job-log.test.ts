import { showValue } from "@millrace/telemetry/masking";
import { expect, test } from "vitest";
import type { Fleet, FleetLogEntry } from "../fleet/fleet.ts";
import { jobLog } from "./job-log.ts";
import type { JobLogView } from "./views/log-views.ts";

/** The page's view of a job that has logged so many lines in each of its runs, by their tokens. */
function viewOf(lines: Readonly<Record<number, number>>): Promise<JobLogView> {
  const entries = Object.entries(lines).flatMap(([token, count]) =>
    Array.from({ length: count }, (_, n): FleetLogEntry => ({
      ...{ at: Number(token) * 10_000 + n, level: "info", message: `line ${n}`, attempt: 1 },
      ...{ node: "n", token: Number(token), createdAt: 1 },
    })),
  );
  const logs = async function* (): AsyncGenerator<FleetLogEntry> {
    yield* entries;
  };
  const fleet = { handle: () => ({ logs }) } as unknown as Fleet;
  return jobLog({ fleet, show: showValue(false) }, "mail", "a");
}

/** What the page tells a run and its lines by. */
function keysOf({ runs }: JobLogView): readonly string[] {
  return runs.flatMap(({ token, earlier, lines }) =>
    lines.map(({ message }, index) => `${token} ${earlier + index} ${message}`),
  );
}

test("a line stays the same one while the first ones leave for those that come", async () => {
  const before = await viewOf({ 1: 10, 2: 2_100 });
  expect(before).toMatchObject({ earlier: 110, runs: [{ token: 2, earlier: 100 }] });
  const after = await viewOf({ 1: 10, 2: 2_150 });
  expect(after).toMatchObject({ earlier: 160, runs: [{ token: 2, earlier: 150 }] });
  const [first, ...rest] = keysOf(after);
  expect(first).toBe("2 150 line 150");
  expect(keysOf(before)).toContain(first);
  expect(keysOf(before).slice(51)).toEqual(rest.slice(0, -50));
});

test("two runs of an attempt are two, also where the first has lost lines", async () => {
  const view = await viewOf({ 1: 1_500, 2: 1_000 });
  expect(view).toMatchObject({
    ...{
      earlier: 500,
      runs: [
        { token: 1, earlier: 500 },
        { token: 2, earlier: 0 },
      ],
    },
  });
});
