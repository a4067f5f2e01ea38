import { defineJob, planJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime, type TestRuntime } from "../testing/test-runtime.ts";
import type { Millrace } from "./millrace.ts";
import type { JobHandle } from "./jobs/job-handle.ts";
import type { EachMethod } from "./each-method.fixture.ts";

/** No call has it, and none has one that is like it. */
const BAD = "zzqx";
/** As JavaScript would hand it over. */
const js = (options: object): never => options as never;
const bad = (more: object = {}): never => js({ ...more, [BAD]: true });

const job = defineJob<unknown>({ name: "work", queue: "work" });
const handled = job.handler(() => {});
const callback = { job: js(job), input: null as never };
const planned = [planJob(job, 1)];
const ALL = { kind: "jobs-cancel", filter: {} } as const;

/** Calls with an option that there is not; or why nothing can be mistyped. */
type Case<Of> = ((of: Of) => unknown) | readonly ((of: Of) => unknown)[] | "takes no options";
type Cases<Of> = EachMethod<Of, Case<Of>>;

const client: Cases<Millrace> = {
  enqueue: (of) => of.enqueue(job, 1, bad()),
  enqueueMany: [
    // Each item has its own error.
    async (of) => {
      const [result] = await of.enqueueMany(job, [bad({ input: 1 })]);
      if (result?.ok === false) throw result.error;
    },
    (of) => of.enqueueMany(job, [{ input: 1 }], bad()),
    (of) => of.enqueueMany(job, [bad({ input: 1 })], { atomic: true }),
  ],
  batch: [
    (of) => of.batch(planned, bad({ callback })),
    (of) => of.batch(planned, { callback: bad(callback) }),
    (of) => of.batch(planned, { callback: { ...callback, options: bad() } }),
    (of) => of.batch([planJob(job, 1, bad())], { callback }),
    async (of) => (await of.batch(planned, { callback })).left(bad()),
  ],
  chain: [
    (of) => of.chain(job, 1, bad()).enqueue(),
    (of) => of.chain(job, 1).next(job, bad()),
    async (of) => (await of.chain(job, 1).next(job).enqueue()).result(bad()),
    async (of) => (await of.chain(job, 1).next(job).enqueue()).jobs[0]?.result(bad()),
  ],
  job: (of) => of.job("a", bad()),
  cancel: (of) => of.cancel("a", bad({ queue: "work" })),
  signal: (of) => of.signal("work", "a", "go", 1, bad()),
  handle: "takes no options",
  mask: "takes no options",
  machine: [
    (of) => of.machine("m", "a").start(1, bad()),
    (of) => of.machine("m", "a").send({ type: "A" }, bad()),
    (of) => of.machine("m", "a").stop(bad()),
    (of) => of.machine("m", "a").snapshot(bad()),
    (of) => of.machine("m", "a").subscribe(() => {}, bad()),
    (of) => of.machine("m", "a").waitFor(() => true, bad()),
  ],
  lock: (of) => of.lock("l", bad(), () => 1),
  with: (of) => of.with(bad()),
  onStatus: "takes no options",
  health: (of) => of.health(bad()),
  events: (of) => of.events(bad()),
  close: "takes no options",
};

const handle: Cases<JobHandle> = {
  status: (of) => of.status(bad()),
  result: (of) => of.result(bad()),
  cancel: (of) => of.cancel("why", bad()),
  progress: (of) => of.progress(bad()),
  logs: (of) => of.logs(bad()),
  reschedule: [
    (of) => of.reschedule(bad({ delay: "1s" })),
    (of) => of.reschedule({ delay: "1s" }, bad()),
  ],
};

const parts: { readonly [Part in PartName]: Cases<Millrace[Part]> } = {
  jobs: {
    get: (of) => of.get("a", bad()),
    list: [(of) => of.list(bad()), (of) => of.list(bad({ state: "running" }))],
    search: (of) => of.search(bad({ state: "running" })),
    complete: (of) => of.complete("na", bad({ state: "running" })),
    oldest: (of) => of.oldest("work", bad()),
    count: (of) => of.count(bad({ state: "dead" })),
    watch: (of) => of.watch(bad()),
  },
  machines: {
    list: (of) => of.list(bad()),
    chart: (of) => of.chart("order", bad()),
    runtimeCharts: "takes no options",
    count: (of) => of.count("order", bad()),
    remove: (of) => of.remove("order", "o", bad()),
  },
  queues: {
    ensure: [(of) => of.ensure("work", bad()), (of) => of.ensure("work", {}, bad())],
    remove: (of) => of.remove("work", bad()),
    list: (of) => of.list(bad()),
    snapshot: (of) => of.snapshot("work", bad()),
    controls: (of) => of.controls("work", bad()),
    pause: (of) => of.pause("work", bad()),
    resume: (of) => of.resume("work", bad()),
    drain: (of) => of.drain("work", bad()),
    purge: (of) => of.purge("work", bad()),
    set: [
      (of) => of.set("work", bad()),
      (of) => of.set("work", {}, bad()),
      (of) => of.set("work", { perKey: bad() }),
      (of) => of.set("work", { rate: bad({ limit: 1, per: "1s" }) }),
      (of) => of.set("work", { perKey: { rate: bad({ limit: 1, per: "1s" }) } }),
    ],
    limits: (of) => of.limits("work", bad()),
  },
  nodes: {
    list: (of) => of.list(bad()),
    quiet: (of) => of.quiet("n", bad()),
    resume: (of) => of.resume("n", bad()),
    stop: (of) => of.stop("n", bad()),
  },
  locks: {
    list: (of) => of.list(bad()),
    waiting: (of) => of.waiting(bad()),
    gates: (of) => of.gates(bad()),
    release: (of) => of.release("user/l", bad()),
  },
  batches: { get: (of) => of.get("b", bad()) },
  audit: {
    list: (of) => of.list(bad()),
    perform: (of) => of.perform(bad({ action: "tidy up", filter: {} }), async () => {}),
  },
  operations: {
    count: [(of) => of.count(bad(ALL)), (of) => of.count({ ...ALL, filter: bad() })],
    start: [
      (of) => of.start(bad(ALL)),
      (of) => of.start({ kind: "dead-retry", filter: bad() }),
      (of) => of.start(bad({ kind: "jobs-reschedule", filter: {}, delay: "1h" })),
      (of) => of.start({ kind: "jobs-reschedule", filter: bad(), delay: "1h" }),
    ],
    list: (of) => of.list(bad()),
    get: (of) => of.get("o", bad()),
    items: (of) => of.items("o", bad()),
    stop: (of) => of.stop("o", bad()),
    undo: (of) => of.undo("o", bad()),
    run: (of) => of.run("o", bad()),
    serve: (of) => of.serve(bad()),
  },
  samples: {
    list: (of) => of.list(bad({ since: 0 })),
    take: (of) => of.take(bad()),
    serve: (of) => of.serve(bad()),
  },
  dead: {
    list: [(of) => of.list(bad()), (of) => of.list({}, bad())],
    groups: [(of) => of.groups(bad()), (of) => of.groups({}, bad())],
    complete: (of) => of.complete("na", bad()),
    show: (of) => of.show("a", bad()),
    retry: [(of) => of.retry(bad()), (of) => of.retry({}, bad())],
    edit: [(of) => of.edit("a", 1, bad()), (of) => of.edit("a", 1, bad({ merge: true }))],
    discard: [(of) => of.discard(bad()), (of) => of.discard({}, bad())],
  },
  cron: {
    list: (of) => of.list(bad()),
    add: [
      (of) => of.add(bad({ name: "s", cron: "* * * * *", job: "work", queue: "work" })),
      (of) => of.add({ name: "s", cron: "* * * * *", job: "work", queue: "work" }, bad()),
    ],
    change: [
      (of) => of.change("s", bad({ cron: "0 * * * *" })),
      (of) => of.change("s", { cron: "0 * * * *" }, bad()),
    ],
    remove: (of) => of.remove("s", bad()),
    pause: (of) => of.pause("s", bad()),
    resume: (of) => of.resume("s", bad()),
    run: (of) => of.run("s", bad()),
    next: (of) => of.next("s", 1, bad()),
    history: (of) => of.history("s", 1, bad()),
  },
  delayed: {
    list: (of) => of.list(bad()),
    count: (of) => of.count("work", bad()),
    move: [
      (of) => of.move("a", "work", bad({ delay: "1s" })),
      (of) => of.move("a", "work", "now", bad()),
    ],
  },
};
type PartName =
  | "jobs"
  | "batches"
  | "machines"
  | "queues"
  | "nodes"
  | "locks"
  | "audit"
  | "operations"
  | "samples"
  | "dead"
  | "cron"
  | "delayed";

const NOT_A_PART = ["broker"];
const refusal = expect.objectContaining({
  code: expect.stringMatching(/^invalid-(option|schedule)$/) as string,
  message: expect.stringMatching(`${BAD}: .* has no such option`) as string,
}) as Error;

async function allRefuse<Of extends object>(of: Of, cases: Cases<Of>, path: string): Promise<void> {
  const methods = Object.keys(of).filter((name) => typeof of[name as keyof Of] === "function");
  expect(Object.keys(cases).toSorted(), path).toEqual(methods.toSorted());
  for (const [name, call] of Object.entries<Case<Of>>(cases)) {
    if (call === "takes no options") continue;
    for (const [nth, one] of [call].flat().entries())
      await expect((async () => one(of))(), `${path}${name}(), call ${nth + 1}`).rejects.toThrow(
        refusal,
      );
  }
}

async function walk(t: TestRuntime, of: Millrace): Promise<void> {
  await allRefuse(of, client, "");
  await allRefuse(await t.enqueue(job, 1), handle, "handle.");
  await allRefuse(of.handle("a", "work"), handle, "handle.");
  for (const part of Object.keys(parts) as PartName[])
    await allRefuse(of[part] as object, parts[part] as Cases<object>, `${part}.`);
}

test("every method of a client, its parts and its handles refuses an option that there is not", async () => {
  await using t = await createTestRuntime({ jobs: [handled] });
  const groups = Object.entries(t.client).filter(([, value]) => typeof value === "object");
  expect(Object.keys(parts).toSorted()).toEqual(
    groups
      .map(([name]) => name)
      .filter((name) => !NOT_A_PART.includes(name))
      .toSorted(),
  );
  await walk(t, t.client);
  await expect(t.node.stop(bad())).rejects.toThrow(refusal);
  await walk(t, t.client.with({ timeout: "1m" }));
  expect(await t.client.audit.list()).toEqual([]);
  expect(await t.client.queues.controls("work")).toEqual({});
  expect(await t.client.cron.list()).toEqual([]);
});

test("a batch's callback, whose id is the batch's, takes none of its own", async () => {
  await using t = await createTestRuntime({ jobs: [handled] });
  const own = { ...callback, options: js({ id: "mine" }) };
  await expect(t.client.batch(planned, { callback: own })).rejects.toThrow(
    /^callback\.options\.id: /,
  );
});
