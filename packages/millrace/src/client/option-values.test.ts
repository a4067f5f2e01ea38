import { createMask } from "@millrace/telemetry/masking";
import { defineJob, fatal } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime, type TestRuntime } from "../testing/test-runtime.ts";

/** As JavaScript would hand it over. */
const js = (value: unknown): never => value as never;
const job = defineJob<unknown>({ name: "work", queue: "work" });

const unreached = async (): Promise<void> => expect.unreachable("nothing is to be done");
const perform =
  (intent: unknown, act: unknown = unreached, tally?: unknown) =>
  ({ client }: TestRuntime): unknown =>
    client.audit.perform(js(intent), js(act), js(tally));
const ALL = { kind: "jobs-cancel", filter: { queue: "work" } };

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
  "audit.perform no filter": perform({ action: "tidy" }),
  "audit.perform filter": perform({ action: "tidy", filter: ["a"] }),
  "audit.perform filter's value": perform({ action: "tidy", filter: { of: { a: 1 } } }),
  "audit.perform no action": perform({ filter: {} }),
  "audit.perform action": perform({ action: 7, filter: {} }),
  "audit.perform by": perform({ action: "tidy", filter: {}, by: 7 }),
  "audit.perform reason": perform({ action: "tidy", filter: {}, reason: null }),
  "audit.perform act": perform({ action: "tidy", filter: {} }, "act"),
  "audit.perform tally": perform({ action: "tidy", filter: {} }, unreached, 7),
  "audit.list since": ({ client }) => client.audit.list(js({ since: "2020-01-01" })),
  "audit.list action": ({ client }) => client.audit.list(js({ action: 7 })),
  "operations.count nothing": ({ client }) => client.operations.count(js(undefined)),
  "operations.count onUnanswered": ({ client }) =>
    client.operations.count(js({ ...ALL, onUnanswered: 7 })),
  "operations.start by": ({ client }) => client.operations.start(js({ ...ALL, by: 7 })),
  "operations.start reason": ({ client }) => client.operations.start(js({ ...ALL, reason: 7 })),
  ...Object.fromEntries(
    [undefined, null, "", 7, {}, [], () => 1, Symbol("s")].flatMap((id) =>
      (["get", "items", "stop", "undo", "run"] as const).map((name) => [
        `operations.${name} ${typeof id} ${String(id)}`,
        ({ client }: TestRuntime) => client.operations[name](js(id)),
      ]),
    ),
  ),
  "locks.release holder null": ({ client }) => client.locks.release("l", js({ holder: null })),
  "locks.waiting prefix": ({ client }) => client.locks.waiting(js({ prefix: 7 })),
  "locks.list prefix": ({ client }) => client.locks.list(js({ prefix: 7 })),
  "queues.drain delayed": ({ client }) => client.queues.drain("work", js({ delayed: "no" })),
  "queues.drain onProgress": ({ client }) => client.queues.drain("work", js({ onProgress: 7 })),
  "queues.purge delayed": ({ client }) => client.queues.purge("work", js({ delayed: "false" })),
  "cron.add replace": ({ client }) =>
    client.cron.add(
      { name: "s", cron: "* * * * *", job: "work", queue: "work" },
      js({ replace: 1 }),
    ),
  "dead.edit merge": ({ client }) => client.dead.edit("a", 1, js({ merge: "no" })),
  "batch jobs": ({ client }) => client.batch(js(7), { callback: { job: js(job), input: 1 } }),
  "batch job": ({ client }) => client.batch([js(null)], { callback: { job: js(job), input: 1 } }),
  "enqueue unique": ({ client }) => client.enqueue(job, 1, js({ unique: null })),
  "lock run": ({ client }) => client.lock("l", {}, js(7)),
  "jobs.list where": ({ client }) => client.jobs.list(js({ where: 7 })),
  "jobs.search where": ({ client }) => client.jobs.search(js({ state: "queued", where: null })),
  "jobs.complete": ({ client }) => client.jobs.complete(js(undefined), { state: "queued" }),
  "dead.list where": ({ client }) => client.dead.list(js({ where: Symbol("s") })),
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
  ...Object.fromEntries(
    [{ reson: "x" }, null, 7, 5n, ["a"], Symbol("s")].flatMap((value, nth) =>
      Object.entries<(t: TestRuntime) => unknown>({
        "handle.cancel reason": ({ client }) => client.handle("a", "work").cancel(js(value)),
        "dead.list": ({ client }) => client.dead.list(js(value)),
        "dead.list reason": ({ client }) => client.dead.list({ reason: js(value) }),
        "dead.groups reason": ({ client }) => client.dead.groups({ reason: js(value) }),
        "dead.complete": ({ client }) => client.dead.complete(js(value)),
        "operations.count filter": ({ client }) =>
          client.operations.count({ kind: "dead-retry", filter: js(value) }),
        "operations.start state": ({ client }) =>
          client.operations.start({ kind: "jobs-cancel", filter: { state: js(value) } }),
        "operations.start name": ({ client }) =>
          client.operations.start({ kind: "jobs-cancel", filter: { name: js(value) } }),
        "delayed.list after": ({ client }) =>
          client.delayed.list({ after: js(value === 7 ? -7 : value) }),
        "machines.list status": ({ client }) => client.machines.list({ status: js(value) }),
        "machines.list state": ({ client }) => client.machines.list({ state: js(value) }),
        "machines.list after": ({ client }) =>
          client.machines.list({ after: js(value === 7 ? -7 : value) }),
        "machines.chart version": ({ client }) =>
          client.machines.chart("m", { version: js(value === 7 ? 0.5 : value) }),
        "machines.remove force": ({ client }) =>
          client.machines.remove("m", "a", { force: js(value) }),
        "machine.waitFor": ({ client }) => client.machine("m", "a").waitFor(js(value)),
        "logs follow": ({ client }) => client.handle("a", "work").logs({ follow: js(value) }),
        "enqueue priority": ({ client }) => client.enqueue(job, 1, { priority: js(value) }),
        with: ({ client }) => client.with(js(value)),
      }).map(([name, call]) => [`${name} ${nth}`, call]),
    ),
  ),
  ...Object.fromEntries(
    [7, 5n, ["a"], Symbol("s")].flatMap((value, nth) =>
      (["name", "error", "fingerprint"] as const).map((field) => [
        `dead.retry ${field} ${nth}`,
        ({ client }: TestRuntime) => client.dead.retry({ [field]: js(value) }),
      ]),
    ),
  ),
  "dead.list reason typo": ({ client }) => client.dead.list({ reason: js("typo") }),
  "dead.retry reason typo": ({ client }) => client.dead.retry({ reason: js("typo") }),
  "operations.start reason typo": ({ client }) =>
    client.operations.start({ kind: "dead-discard", filter: { reason: js("typo") } }),
  "createMask key": () => createMask(js({ key: ["iban"] })),
};

const NAMED: Readonly<Record<string, (t: TestRuntime, name: unknown) => unknown>> = {
  lock: ({ client }, name) => client.lock(js(name), {}, unreached),
  "locks.release": ({ client }, name) => client.locks.release(js(name)),
  events: ({ client }, name) => client.events({ name: js(name) }),
  "jobs.watch": ({ client }, name) => client.jobs.watch({ name: js(name) }),
  machine: ({ client }, name) => client.machine(js(name), "a"),
  "cron.pause": ({ client }, name) => client.cron.pause(js(name)),
  "queues.remove": ({ client }, name) => client.queues.remove(js(name)),
  "signal job": ({ client }, job) => client.signal(js(job), "a", "go", 1),
};

test.each(
  Object.entries(NAMED).flatMap(([what, call]) =>
    [null, 7, {}, [], 5n, Symbol("s"), () => 1].map((name) => [what, name, call] as const),
  ),
)("%s has no name %o", async (_what, name, call) => {
  await using t = await createTestRuntime({ jobs: [job.handler(() => {})] });
  await expect((async () => call(t, name))()).rejects.toMatchObject({ code: "invalid-name" });
});

test.each([undefined, null, 7, 5n, [], () => 1])("no signal is called %o", async (signal) => {
  await using t = await createTestRuntime({ jobs: [job.handler(() => {})] });
  await expect(t.client.signal("work", "a", js(signal), 1)).rejects.toMatchObject({
    code: expect.stringMatching(/^invalid-/) as string,
  });
});

test.each([7, 5n, {}, ["UTC"], Symbol("s")])("no schedule has %o as a word", async (value) => {
  await using t = await createTestRuntime({ jobs: [job.handler(() => {})] });
  const rule = { name: "s", cron: "* * * * *", job: "work", queue: "work" };
  for (const field of ["timezone", "missed", "overlap"])
    await expect(t.client.cron.add(js({ ...rule, [field]: value }))).rejects.toMatchObject({
      code: "invalid-schedule",
    });
});

test("a word of a definition that is none is refused, whatever it is", () => {
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  for (const value of [5n, Symbol("s"), cyclic])
    for (const options of [
      { retry: { backoff: value } },
      { isolation: value },
      { steps: { version: value } },
      { steps: { olderRuns: value } },
      { singleton: { onBusy: value } },
    ])
      expect(() => defineJob(js({ name: "a", ...options }))).toThrow(
        expect.objectContaining({ code: "invalid-option" }) as Error,
      );
});

test.each(Object.entries(CALLS))("%s of a wrong kind is refused", async (_name, call) => {
  await using t = await createTestRuntime({ jobs: [job.handler(() => {})] });
  await t.client.cron.add({ name: "s", cron: "* * * * *", job: "work", queue: "work" });
  await expect((async () => call(t))()).rejects.toMatchObject({ code: "invalid-option" });
  expect(await t.client.queues.controls("work")).toEqual({});
  expect([await t.client.audit.list(), await t.client.operations.list()]).toEqual([[], []]);
});

test("an operation of no id is none that is open, and undoes none", async () => {
  await using t = await createTestRuntime({ jobs: [job.handler(() => {})] });
  await t.client.enqueue(job, null, { id: "a", delay: "1h" });
  const { id } = await t.client.operations.start(js(ALL));
  await expect(t.client.operations.undo(js(undefined))).rejects.toMatchObject({
    code: "invalid-option",
  });
  expect(await t.client.operations.list()).toMatchObject([{ id, progress: { state: "running" } }]);
});

test("a lock whose holder is given as null stays with whoever has it", async () => {
  await using t = await createTestRuntime({ jobs: [job.handler(() => {})] });
  await t.client.lock("l", {}, async ({ isHeld }) => {
    await expect(t.client.locks.release("user/l", js({ holder: null }))).rejects.toMatchObject({
      code: "invalid-option",
    });
    expect(await t.client.locks.list({ prefix: "user/" })).toHaveLength(1);
    expect(isHeld()).toBe(true);
  });
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
