import { type BatchEnded, defineJob, MillraceError, planJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "../../testing/test-runtime.ts";

const page = defineJob<{ n: number }>({ name: "page", retry: "none" });
const report = defineJob<BatchEnded<null>>({ name: "report" });

test.each([
  ["has ended", "0s", { succeeded: 2, refused: 0 }],
  ["runs yet", "15m", { succeeded: 1, refused: 1 }],
] as const)(
  "a member that its queue dropped for an earlier job stays dropped when the batch is made again: that one %s",
  async (_how, runsFor, end) => {
    const ran: number[] = [];
    const reports: BatchEnded["batch"][] = [];
    await using t = await createTestRuntime({
      jobs: [
        page.handler(async ({ input: { n } }) => {
          ran.push(n);
          const done = Promise.withResolvers<void>();
          if (n !== 1 || runsFor === "0s") return;
          t.clock.setTimer(900_000, done.resolve);
          await done.promise;
        }),
        report.handler(({ input }) => void reports.push(input.batch)),
      ],
    });
    await t.client.enqueue(page, { n: 1 }, { id: "p1" });
    // Its queue knows it still when the batch is made, which is more than clocks may differ later.
    await t.clock.advance("90s");
    const make = () =>
      t.client.batch(
        [planJob(page, { n: 1 }, { id: "p1" }), planJob(page, { n: 2 }, { id: "p2" })],
        { id: "b", callback: { job: report, input: null } },
      );
    const enqueue = t.broker.enqueue.bind(t.broker);
    t.broker.enqueue = async (...given) => {
      t.broker.enqueue = enqueue;
      expect(await enqueue(...given)).toMatchObject([{ duplicate: true }, { duplicate: false }]);
      return given[0].map(({ id, queue }) => ({
        ...{ ok: false as const, id, queue },
        error: new MillraceError("publish-timeout", "no answer"),
      }));
    };
    await expect(make()).rejects.toThrow("may or may not be stored");
    await t.clock.advance("10m");
    await make();
    await t.drain();
    expect(ran).toEqual([1, 2]);
    expect(reports).toMatchObject([{ total: 2, ...end }]);
  },
);
