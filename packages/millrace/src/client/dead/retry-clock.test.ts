import { type Clock, defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "../../testing/test-runtime.ts";
import { createClient } from "../client.ts";
import type { Millrace } from "../millrace.ts";

const JOB = "j";

const WAYS = {
  retry: (client: Millrace) => client.dead.retry({}),
  edit: (client: Millrace) => client.dead.edit(JOB, 2),
  operation: async (client: Millrace) => {
    const { id } = await client.operations.start({ kind: "dead-retry", filter: {}, by: "ada" });
    return client.operations.run(id);
  },
};

/** As of a machine that is so many minutes ahead. */
function aheadBy(minutes: number, clock: Clock): Clock {
  return {
    now: () => clock.now() + minutes * 60_000,
    monotonic: () => clock.monotonic(),
    setTimer: (ms, fire) => clock.setTimer(ms, fire),
  };
}

test.each(
  [0, -15, 15].flatMap((minutes) =>
    (["retry", "edit", "operation"] as const).flatMap((way) =>
      (["queued timeout", "expiry"] as const).map((limit) => [limit, way, minutes] as const),
    ),
  ),
)("a letter of a job with a %s runs: %s by a machine that is %i minutes off", async (...of) => {
  const [limit, way, minutes] = of;
  const ran: number[] = [];
  let isUp = false;
  const job = defineJob<number>({
    ...{ name: "n", retry: { attempts: 1 } },
    ...(limit === "queued timeout" ? { queuedTimeout: "10m" as const } : {}),
  });
  await using t = await createTestRuntime({
    jobs: [
      job.handler(({ input }) => {
        if (!isUp) throw new Error("the bank is down");
        ran.push(input);
      }),
    ],
  });
  await t.enqueue(job, 1, {
    id: JOB,
    ...(limit === "expiry" ? { expiresIn: "10m" as const } : {}),
  });
  await t.drain();
  // What has expired meanwhile is retried all the same.
  await t.clock.advance("12m");
  isUp = true;
  const retried = WAYS[way](createClient(t.broker, aheadBy(minutes, t.clock)));
  await t.drain();
  await retried;
  await t.drain();
  expect(await t.deadLetters()).toEqual([]);
  expect(ran).toEqual([way === "edit" ? 2 : 1]);
});
