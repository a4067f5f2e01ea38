import { defineJob, defineSchedule, planJob } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { createNode as createRuntimeNode } from "@millrace/runtime";
import { describe, expect, test } from "vitest";
import { createNode } from "../node/connect-node.ts";
import { runNode } from "../node/run-node.ts";
import { createTestRuntime } from "../testing/test-runtime.ts";
import { connect } from "./connect.ts";

/** As JavaScript would hand it over. */
const js = (options: object): never => options as never;
const job = defineJob<unknown>({ name: "work", queue: "work" });
const handled = job.handler(() => {});

function refused(path: string, meant: string, code = "invalid-option") {
  const message = expect.stringMatching(
    new RegExp(`^${path}: .* has no such option\\. Did you mean ${meant}\\?$`),
  ) as string;
  return expect.objectContaining({ code, message }) as Error;
}

test.each<[object, string, string]>([
  [{ retires: 3 }, "retires", "retry"],
  [{ queuedTimout: "1m" }, "queuedTimout", "queuedTimeout"],
  [{ ondead: job }, "ondead", "onDead"],
  [{ retry: { atempts: 3 } }, "retry.atempts", "attempts"],
  [{ singleton: { onbusy: "skip" } }, "singleton.onbusy", "onBusy"],
  [{ unique: { key: () => "k", wile: "running" } }, "unique.wile", "while"],
  [{ concurrency: { key: () => "k", limits: 1 } }, "concurrency.limits", "limit"],
  [{ rateLimit: { key: () => "k", limit: 1, pre: "1s" } }, "rateLimit.pre", "per"],
])("defineJob: %j", (options, path, meant) => {
  expect(() => defineJob(js({ name: "a", ...options }))).toThrow(refused(path, meant));
});

test("schedules", async () => {
  const schedule = { name: "s", cron: "* * * * *" };
  expect(() => defineSchedule(js({ ...schedule, job, timeZone: "UTC" }))).toThrow(
    refused("timeZone", "timezone", "invalid-schedule"),
  );
  await using t = await createTestRuntime({ jobs: [handled] });
  await expect(
    t.client.cron.add(js({ ...schedule, job: "work", queue: "work", paylod: 1 })),
  ).rejects.toThrow(refused("paylod", "payload", "invalid-schedule"));
});

describe("each call of a client", () => {
  test("an enqueue, however it is made", async () => {
    await using t = await createTestRuntime({ jobs: [handled] });
    const { client } = t;
    const wrong = refused("dealy", "delay");
    await expect(client.enqueue(job, 1, js({ dealy: "1h" }))).rejects.toThrow(wrong);
    await expect(client.enqueue(job, 1, js({ id: "a", once: true, dealy: 1 }))).rejects.toThrow(
      wrong,
    );
    expect(await client.enqueueMany(job, [js({ input: 1, dealy: "1h" })])).toMatchObject([
      { ok: false, error: wrong },
    ]);
    await expect(client.chain(job, 1, js({ dealy: 1 })).enqueue()).rejects.toThrow(wrong);
    expect(() => client.chain(job, 1).next(job, js({ timeuot: 1 }))).toThrow(
      refused("timeuot", "timeout"),
    );
    const callback = { job: js(job), input: null as never };
    await expect(client.batch([planJob(job, 1, js({ dealy: 1 }))], { callback })).rejects.toThrow(
      wrong,
    );
    await t.drain();
    expect(await t.broker.queues.snapshot("work")).toMatchObject({ queued: 0, delayed: 0 });
  });

  test("one that enqueues says where its signal and its time are given", async () => {
    await using t = await createTestRuntime({ jobs: [handled] });
    const { client } = t;
    const signal = new AbortController().signal;
    const given = (name: string) =>
      expect.objectContaining({
        code: "invalid-option",
        message: expect.stringMatching(
          new RegExp(`^${name}: .* has no such option\\. .* client\\.with\\({ ${name} }\\)\\.$`),
        ) as string,
      }) as Error;
    await expect(client.enqueue(job, 1, js({ signal }))).rejects.toThrow(given("signal"));
    expect(await client.enqueueMany(job, [js({ input: 1, signal })])).toMatchObject([
      { ok: false, error: given("signal") },
    ]);
    await expect(client.chain(job, 1, js({ signal })).enqueue()).rejects.toThrow(given("signal"));
    expect(() => client.chain(job, 1).next(job, js({ signal }))).toThrow(given("signal"));
    const batch = { callback: { job: js(job), input: null as never } };
    for (const [name, value] of Object.entries({ signal, timeout: "1s" })) {
      await expect(client.enqueueMany(job, [], js({ [name]: value }))).rejects.toThrow(given(name));
      await expect(
        client.batch([planJob(job, 1)], js({ ...batch, [name]: value })),
      ).rejects.toThrow(given(name));
    }
  });

  test("an option that is left out with undefined is left out", async () => {
    await using t = await createTestRuntime({ jobs: [handled] });
    await t.client.enqueue(job, 1, js({ id: "a", once: undefined, whatever: undefined }));
    await t.drain();
    await t.assertSucceeded("a");
  });

  test("queues", async () => {
    await using t = await createTestRuntime({ jobs: [handled] });
    const { queues } = t.client;
    await expect(queues.ensure("work", js({ maxJob: 1 }))).rejects.toThrow(
      refused("maxJob", "maxJobs"),
    );
    await expect(queues.set("work", js({ concurency: 1 }))).rejects.toThrow(
      refused("concurency", "concurrency"),
    );
    await expect(queues.set("work", js({ perKey: { rates: null } }))).rejects.toThrow(
      refused("perKey.rates", "rate"),
    );
    await expect(queues.set("work", js({ rate: { limit: 1, pre: 1 } }))).rejects.toThrow(
      refused("rate.pre", "per"),
    );
    expect(await queues.controls("work")).toEqual({});
  });
});

test("calls that wait, look, filter and give orders", async () => {
  await using t = await createTestRuntime({ jobs: [handled] });
  const { client } = t;
  const handle = client.handle("a", "work");
  const cases: readonly (readonly [() => unknown, string, string])[] = [
    [() => client.with(js({ timout: "1s" })), "timout", "timeout"],
    [() => client.health(js({ timout: "1s" })), "timout", "timeout"],
    [() => client.lock("l", js({ leese: "1s" }), () => 1), "leese", "lease"],
    [() => client.job("a", js({ quue: "work" })), "quue", "queue"],
    [() => client.cancel("a", js({ queue: "work", raeson: "x" })), "raeson", "reason"],
    [() => handle.cancel("x", js({ wiat: true })), "wiat", "wait"],
    [() => handle.result(js({ timeuot: "1s" })), "timeuot", "timeout"],
    [() => handle.progress(js({ singal: 1 })), "singal", "signal"],
    [() => handle.logs(js({ folow: true })), "folow", "follow"],
    [() => handle.reschedule(js({ delya: "1s" })), "delya", "delay"],
    [() => client.events(js({ staet: "dead" })), "staet", "state"],
    [() => client.jobs.get("a", js({ quue: "work" })), "quue", "queue"],
    [() => client.jobs.list(js({ wehre: "age>1d" })), "wehre", "where"],
    [() => client.jobs.count(js({ state: "dead", quue: "x" })), "quue", "queue"],
    [() => client.jobs.watch(js({ nmae: "x" })), "nmae", "name"],
    [() => client.queues.drain("work", js({ timout: "1s" })), "timout", "timeout"],
    [() => client.queues.pause("work", js({ raeson: "x" })), "raeson", "reason"],
    [() => client.queues.purge("work", js({ delayd: true })), "delayd", "delayed"],
    [() => client.nodes.quiet("n", js({ raeson: "x" })), "raeson", "reason"],
    // As an empty filter, it would mean every letter.
    [() => client.dead.list(js({ quue: "work" })), "quue", "queue"],
    [() => client.dead.retry(js({ quue: "work" })), "quue", "queue"],
    [() => client.dead.discard(js({ quue: "work" })), "quue", "queue"],
    [() => client.dead.groups(js({ quue: "work" })), "quue", "queue"],
    [
      () => client.operations.count(js({ kind: "jobs-cancel", filter: { quue: "x" } })),
      "quue",
      "queue",
    ],
  ];
  for (const [call, path, meant] of cases)
    await expect((async () => call())(), path).rejects.toThrow(refused(path, meant));
  expect(await client.queues.controls("work")).toEqual({});
});

test("connecting, and nodes, before anything is connected", async () => {
  await expect(connect(js({ namespce: "x" }))).rejects.toThrow(refused("namespce", "namespace"));
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const options = { jobs: [handled], broker, clock };
  for (const make of [createNode, runNode])
    await expect(make(js({ ...options, slot: 3 }))).rejects.toThrow(refused("slot", "slots"));
  const runtime =
    (more: object): (() => unknown) =>
    () =>
      createRuntimeNode(js({ ...options, ...more }));
  expect(runtime({ leese: "1s" })).toThrow(refused("leese", "lease"));
  expect(runtime({ queues: { work: { wieghts: {} } } })).toThrow(
    refused("queues.work.wieghts", "weights"),
  );
  expect(runtime({ queues: { work: { settings: { maxJob: 1 } } } })).toThrow(
    refused("maxJob", "maxJobs"),
  );
  expect(runtime({ threads: { maxHeap: 1 } })).toThrow(refused("threads.maxHeap", "maxHeapMb"));
  await expect(createTestRuntime(js({ jobs: [handled], slot: 1 }))).rejects.toThrow(
    refused("slot", "slots"),
  );
});
