import { createMask } from "@millrace/telemetry/masking";
import { defineJob, fatal } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime, type TestRuntime } from "../testing/test-runtime.ts";

/** As JavaScript would hand it over. */
const js = (value: unknown): never => value as never;
const job = defineJob<unknown>({ name: "work", queue: "work" });

const CALLS: Readonly<Record<string, (t: TestRuntime) => unknown>> = {
  "nodes.quiet by": ({ client, node }) => client.nodes.quiet(node.name, js({ by: 7 })),
  "nodes.stop reason": ({ client, node }) => client.nodes.stop(node.name, js({ reason: 7 })),
  "queues.pause by": ({ client }) => client.queues.pause("work", js({ by: 7 })),
  "queues.purge by": ({ client }) => client.queues.purge("work", js({ by: 7 })),
  "queues.set maxJobs": ({ client }) => client.queues.set("work", { concurrency: 3, maxJobs: 0 }),
  "cron.next NaN": ({ client }) => client.cron.next("s", Number.NaN),
  "cron.next Infinity": ({ client }) => client.cron.next("s", Number.POSITIVE_INFINITY),
  "cron.history NaN": ({ client }) => client.cron.history("s", Number.NaN),
  "enqueueMany atomic": ({ client }) => client.enqueueMany(job, [], js({ atomic: 1 })),
  "job payload": ({ client }) => client.job("j", js({ payload: "yes" })),
  "job hold": ({ client }) => client.job("j", js({ hold: 1 })),
  "dead.list NaN": ({ client }) => client.dead.list({ limit: Number.NaN }),
  "dead.list 0": ({ client }) => client.dead.list({ limit: 0 }),
  "audit.list NaN": ({ client }) => client.audit.list({ limit: Number.NaN }),
  "delayed.list NaN": ({ client }) => client.delayed.list({ limit: Number.NaN }),
  "jobs.search most": ({ client }) => client.jobs.search({ state: "queued", most: Infinity }),
  "jobs.list Infinity": ({ client }) => client.jobs.list({ limit: Infinity }),
  "machines.list Infinity": ({ client }) => client.machines.list({ limit: Infinity }),
  "locks.gates -1": ({ client }) => client.locks.gates({ limit: -1 }),
  ...Object.fromEntries(
    [Number.NaN, 0, -1, 1.5, "5m"].flatMap((value) => [
      [
        `queues.ensure dedupeWindowMs ${value}`,
        ({ client }: TestRuntime) => client.queues.ensure("q", js({ dedupeWindowMs: value })),
      ],
      [
        `queues.ensure replicas ${value}`,
        ({ client }: TestRuntime) => client.queues.ensure("q", js({ replicas: value })),
      ],
    ]),
  ),
  "createMask key": () => createMask(js({ key: ["iban"] })),
};

test.each(Object.entries(CALLS))("%s of a wrong kind is refused", async (_name, call) => {
  await using t = await createTestRuntime({ jobs: [job.handler(() => {})] });
  await t.client.cron.add({ name: "s", cron: "* * * * *", job: "work", queue: "work" });
  await expect((async () => call(t))()).rejects.toMatchObject({ code: "invalid-option" });
  expect(await t.client.queues.controls("work")).toEqual({});
});

test("a list that has no most gives all with a limit of Infinity", async () => {
  const dead = job.handler(() => fatal("no"));
  await using t = await createTestRuntime({ jobs: [dead] });
  await t.client.cron.add({ name: "s", cron: "* * * * *", job: "work", queue: "work" });
  await t.client.enqueueMany(
    job,
    Array.from({ length: 101 }, () => ({ input: null })),
  );
  await t.clock.advance("1s");
  await t.client.enqueueMany(
    job,
    Array.from({ length: 101 }, () => ({ input: null, delay: "1h" as const })),
  );
  await t.clock.advance("1s");
  expect(await t.client.dead.list({ limit: Infinity })).toHaveLength(101);
  expect(await t.client.delayed.list({ limit: Infinity })).toHaveLength(101);
  expect(await t.client.audit.list({ limit: Infinity })).toEqual([]);
  expect(await t.client.locks.gates({ limit: Infinity })).toEqual([]);
  expect(await t.client.cron.history("s", Infinity)).toEqual([]);
});
