import { type Clock, defineJob, defineSchedule } from "@millrace/core";
import { expect, onTestFinished, test } from "vitest";
import { createTestRuntime, type TestRuntime } from "../../testing/test-runtime.ts";
import { createClient } from "../client.ts";
import type { Cron } from "./cron.ts";

const report = defineJob({ name: "report", queue: "reports" });
const HOUR_MS = 3_600_000;

interface Scene {
  readonly clock: TestRuntime["clock"];
  /** When the ticks were due whose jobs ran: `00:10`. */
  readonly ran: readonly string[];
  /** The schedules as a machine sees them whose clock is off. */
  readonly cron: Cron;
}

async function scene(offMs: number): Promise<Scene> {
  const ran: string[] = [];
  const runtime = await createTestRuntime({
    jobs: [
      report.handler(({ job }) => {
        const [, hours = "", minutes = ""] = /T(\d\d)(\d\d)00Z$/.exec(job.id) ?? [];
        ran.push(`${hours}:${minutes}`);
      }),
    ],
    schedules: [
      defineSchedule({
        ...{ name: "often", cron: "*/10 * * * *", job: report, input: undefined },
        missed: { all: 100 },
      }),
    ],
  });
  onTestFinished(() => runtime.stop());
  const { clock } = runtime;
  const wrong: Clock = {
    now: () => clock.now() + offMs,
    monotonic: () => clock.monotonic(),
    setTimer: (ms, fire) => clock.setTimer(ms, fire),
  };
  return { clock, ran, cron: createClient(runtime.client.broker, wrong).cron };
}

test.each([HOUR_MS, 0, -HOUR_MS])(
  "resumed by a machine whose clock is %s ms ahead, ticks go on, and none of the pause is made up for",
  async (offMs) => {
    const { clock, ran, cron } = await scene(offMs);
    await clock.advance("15m");
    await cron.pause("often");
    await clock.advance("40m");
    await cron.resume("often");
    await clock.advance("30m");
    expect(ran).toEqual(["00:10", "01:00", "01:10", "01:20"]);
  },
);

test.each([HOUR_MS, -HOUR_MS])(
  "a schedule that a machine adds whose clock is %s ms ahead ticks from its next time on",
  async (offMs) => {
    const { clock, ran, cron } = await scene(offMs);
    await cron.pause("often");
    const fields = { job: "report", queue: "reports", missed: { all: 100 } } as const;
    await cron.add({ name: "own", cron: "5 * * * *", ...fields });
    expect((await cron.list()).find(({ name }) => name === "own")?.next).toBe(
      clock.now() + 5 * 60_000,
    );
    expect(await cron.next("own", 1)).toEqual([clock.now() + 5 * 60_000]);
    await clock.advance("1h");
    expect(ran).toEqual(["00:05"]);
  },
);
