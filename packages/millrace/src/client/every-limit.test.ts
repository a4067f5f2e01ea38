import { type Broker, defineJob, planJob } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import type { CallLimits } from "./call-limits.ts";
import { createClient } from "./client.ts";
import type { BatchHandle } from "./enqueue/batch.ts";
import type { ChainHandle } from "./enqueue/chain.ts";
import type { JobHandle } from "./jobs/job-handle.ts";
import type { MachineHandle } from "./machines/machine-handle.ts";
import type { Millrace } from "./millrace.ts";
import type { EachMethod } from "./each-method.fixture.ts";

type Call<Of> = (of: Of, limits: CallLimits) => Promise<unknown>;
/** What a call does with limits of its own, or why it takes none. */
type Case<Of> =
  | Call<Of>
  /** Goes on until it is ended, so it has no time. */
  | { readonly goesOn: (of: Of, limits: Pick<CallLimits, "signal">) => Promise<unknown> }
  /** Of an enqueue `timeout` is how long an attempt may take. */
  | "enqueues: its limits are those of with()"
  /** It has `wait`, which counts with what the lock's holder takes. */
  | "waits for a lock"
  | "asks nobody";
type Cases<Of> = EachMethod<Of, Case<Of>>;

const first = (reading: AsyncIterable<unknown>): Promise<unknown> =>
  reading[Symbol.asyncIterator]().next();
const job = defineJob<unknown>({ name: "work", queue: "work" });
const schedule = { name: "s", cron: "* * * * *", job: "work", queue: "work" };
const ENQUEUES = "enqueues: its limits are those of with()";

const client: Cases<Millrace> = {
  enqueue: ENQUEUES,
  enqueueMany: ENQUEUES,
  batch: ENQUEUES,
  chain: ENQUEUES,
  job: (of, limits) => of.job("a", limits),
  cancel: (of, limits) => of.cancel("a", limits),
  signal: (of, limits) => of.signal("work", "a", "go", 1, limits),
  handle: "asks nobody",
  mask: "asks nobody",
  machine: "asks nobody",
  lock: "waits for a lock",
  with: "asks nobody",
  onStatus: "asks nobody",
  // What is wrong never makes it reject.
  health: async (of, limits) => {
    const { problem } = await of.health(limits);
    expect(problem).toBeDefined();
    throw limits.signal?.reason ?? Object.assign(new Error(), { code: "request-timeout" });
  },
  events: { goesOn: (of, limits) => first(of.events(limits)) },
  close: "asks nobody",
};
const handle: Cases<JobHandle> = {
  status: (of, limits) => of.status(limits),
  result: (of, limits) => of.result(limits),
  cancel: (of, limits) => of.cancel("why", limits),
  progress: { goesOn: (of, limits) => first(of.progress(limits)) },
  logs: { goesOn: (of, limits) => first(of.logs({ follow: true, ...limits })) },
  reschedule: (of, limits) => of.reschedule({ delay: "1s" }, limits),
};
const machine: Cases<MachineHandle> = {
  start: (of, limits) => of.start(1, limits),
  send: (of, limits) => of.send({ type: "A" }, limits),
  stop: (of, limits) => of.stop(limits),
  snapshot: (of, limits) => of.snapshot(limits),
  waitFor: (of, limits) => of.waitFor(() => true, limits),
  subscribe: { goesOn: (of, limits) => of.subscribe(() => {}, limits) },
};
const batch: Cases<BatchHandle> = {
  left: (of, limits) => of.left(limits),
  result: (of, limits) => of.result(limits),
};
const chain: Cases<ChainHandle<unknown>> = { result: (of, limits) => of.result(limits) };

const parts: { readonly [Part in PartName]: Cases<Millrace[Part]> } = {
  jobs: {
    get: (of, limits) => of.get("a", limits),
    list: (of, limits) => of.list(limits),
    search: (of, limits) => of.search({ state: "queued", ...limits }),
    complete: (of, limits) => of.complete("na", { state: "queued", ...limits }),
    oldest: (of, limits) => of.oldest("work", limits),
    count: (of, limits) => of.count({ state: "dead", ...limits }),
    watch: { goesOn: (of, limits) => first(of.watch(limits)) },
  },
  machines: {
    list: (of, limits) => of.list(limits),
    chart: (of, limits) => of.chart("order", limits),
    runtimeCharts: "asks nobody",
    count: (of, limits) => of.count("order", limits),
    remove: (of, limits) => of.remove("order", "o", limits),
  },
  queues: {
    ensure: (of, limits) => of.ensure("work", {}, limits),
    remove: (of, limits) => of.remove("work", limits),
    list: (of, limits) => of.list(limits),
    snapshot: (of, limits) => of.snapshot("work", limits),
    controls: (of, limits) => of.controls("work", limits),
    pause: (of, limits) => of.pause("work", limits),
    resume: (of, limits) => of.resume("work", limits),
    drain: (of, limits) => of.drain("work", limits),
    purge: (of, limits) => of.purge("work", limits),
    set: (of, limits) => of.set("work", {}, limits),
    limits: (of, limits) => of.limits("work", limits),
  },
  nodes: {
    list: (of, limits) => of.list(limits),
    quiet: (of, limits) => of.quiet("n", limits),
    resume: (of, limits) => of.resume("n", limits),
    stop: (of, limits) => of.stop("n", limits),
  },
  locks: {
    list: (of, limits) => of.list(limits),
    waiting: (of, limits) => of.waiting(limits),
    gates: (of, limits) => of.gates(limits),
    release: (of, limits) => of.release("user/l", limits),
  },
  batches: { get: (of, limits) => of.get("b", limits) },
  audit: {
    list: (of, limits) => of.list(limits),
    perform: (of, limits) => of.perform({ action: "tidy", filter: {}, ...limits }, async () => {}),
  },
  operations: {
    count: (of, limits) => of.count({ kind: "jobs-cancel", filter: {}, ...limits }),
    start: (of, limits) => of.start({ kind: "jobs-cancel", filter: {}, ...limits }),
    list: (of, limits) => of.list(limits),
    get: (of, limits) => of.get("o", limits),
    items: (of, limits) => of.items("o", limits),
    stop: (of, limits) => of.stop("o", limits),
    undo: (of, limits) => of.undo("o", limits),
    run: (of, limits) => of.run("o", limits),
    serve: { goesOn: (of, limits) => of.serve(limits) },
  },
  samples: {
    list: (of, limits) => of.list({ since: 0, ...limits }),
    take: (of, limits) => of.take(limits),
    serve: { goesOn: (of, limits) => ended(of.serve(limits), limits) },
  },
  dead: {
    list: (of, limits) => of.list({}, limits),
    groups: (of, limits) => of.groups({}, limits),
    complete: "asks nobody",
    show: (of, limits) => of.show("a", limits),
    retry: (of, limits) => of.retry({}, limits),
    edit: (of, limits) => of.edit("a", 1, limits),
    discard: (of, limits) => of.discard({}, limits),
  },
  cron: {
    list: (of, limits) => of.list(limits),
    add: (of, limits) => of.add(schedule, limits),
    change: (of, limits) => of.change("s", { cron: "0 * * * *" }, limits),
    remove: (of, limits) => of.remove("s", limits),
    pause: (of, limits) => of.pause("s", limits),
    resume: (of, limits) => of.resume("s", limits),
    run: (of, limits) => of.run("s", limits),
    next: (of, limits) => of.next("s", 1, limits),
    history: (of, limits) => of.history("s", 1, limits),
  },
  delayed: {
    list: (of, limits) => of.list(limits),
    count: (of, limits) => of.count("work", limits),
    move: (of, limits) => of.move("a", "work", "now", limits),
  },
};
type PartName =
  | ("jobs" | "batches" | "machines" | "queues" | "nodes" | "locks" | "audit" | "operations")
  | ("samples" | "dead" | "cron" | "delayed");

/** It opens at once, and asks nobody before a minute has passed. */
async function ended(serving: Promise<unknown>, { signal }: CallLimits): Promise<unknown> {
  await serving;
  return new Promise((_, reject) =>
    signal?.addEventListener("abort", () => reject(signal.reason as Error)),
  );
}

/** Gives no answer, as soon as it is told to give none. */
function silenced<T extends object>(of: T, isSilent: () => boolean): T {
  return new Proxy(of, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value === "object" && value !== null) return silenced(value, isSilent);
      if (typeof value !== "function" || key === "onStatus")
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      return (...given: unknown[]): unknown =>
        isSilent() ? new Promise(() => {}) : Reflect.apply(value, target, given);
    },
  });
}

async function scene() {
  const clock = new SimulatedClock();
  const memory = new MemoryBroker({ clock });
  await memory.queues.ensure("work");
  let isSilent = false;
  const of = createClient(
    silenced<Broker>(memory, () => isSilent),
    clock,
  );
  const things: readonly (readonly [string, object, Cases<object>])[] = [
    ["", of, client],
    ["handle.", of.handle("a", "work"), handle],
    ["enqueued.", await of.enqueue(job, 1), handle],
    ["machine.", of.machine("m", "a"), machine],
    [
      "batch.",
      await of.batch([planJob(job, 1)], { callback: { job: job as never, input: 1 } }),
      batch,
    ],
    ["chain.", await of.chain(job, 1).next(job).enqueue(), chain],
    ...(Object.keys(parts) as PartName[]).map(
      (part) => [`${part}.`, of[part] as object, parts[part] as Cases<object>] as const,
    ),
  ];
  isSilent = true;
  return { clock, of, things };
}

/** How each call stands, by its name. */
function callAll(
  things: Awaited<ReturnType<typeof scene>>["things"],
  limits: CallLimits,
): ReadonlyMap<string, { told: unknown }> {
  const all = new Map<string, { told: unknown }>();
  for (const [path, of, cases] of things)
    for (const [name, one] of Object.entries(cases as Readonly<Record<string, Case<object>>>)) {
      if (typeof one === "string") continue;
      if (typeof one === "object" && limits.signal === undefined) continue;
      const end = { told: "waits" as unknown };
      all.set(`${path}${name}()`, end);
      const call = typeof one === "object" ? one.goesOn : one;
      (async () => call(of, limits))().then(
        (value) => (end.told = value),
        (error: unknown) => (end.told = error),
      );
    }
  return all;
}

test("all parts and all methods of a client are looked at", async () => {
  const { of, things } = await scene();
  for (const [path, thing, cases] of things) {
    const methods = Object.keys(thing).filter(
      (name) => typeof Reflect.get(thing, name) === "function",
    );
    expect(Object.keys(cases).toSorted(), path).toEqual(methods.toSorted());
  }
  const groups = Object.entries(of).filter(([, value]) => typeof value === "object");
  expect([...Object.keys(parts), "broker"].toSorted()).toEqual(
    groups.map(([name]) => name).toSorted(),
  );
});

test("every call ends when its own time is over, where the server does not answer", async () => {
  const { clock, things } = await scene();
  const all = callAll(things, { timeout: "500ms" });
  await clock.advance("400ms");
  for (const [name, { told }] of all) expect(told, name).toBe("waits");
  // A purge has paused its queue for all, and is not to leave it so.
  await clock.advance("31s");
  for (const [name, { told }] of all)
    expect(told, name).toMatchObject({
      code: expect.stringMatching(/^(request|publish|result)-timeout$/) as string,
    });
});

test("every call ends at its own signal, with its reason", async () => {
  const { clock, things } = await scene();
  const stop = new AbortController();
  const reason = new Error("the tab was closed");
  const all = callAll(things, { signal: stop.signal });
  await clock.advance("1s");
  for (const [name, { told }] of all) expect(told, name).toBe("waits");
  stop.abort(reason);
  await clock.advance("31s");
  for (const [name, { told }] of all)
    if (["events()", "jobs.watch()"].includes(name))
      expect(told, name).toEqual({ done: true, value: undefined });
    else expect(told, name).toBe(reason);
});

test("every call refuses a signal that is none, and a time that is none", async () => {
  const { clock, things } = await scene();
  const wrong = callAll(things, { signal: "SIGTERM" as never });
  const late = callAll(things, { timeout: "soon" as never });
  await clock.advance(0);
  for (const [name, { told }] of wrong)
    expect(told, name).toMatchObject({ code: "invalid-option" });
  for (const [name, { told }] of late)
    expect(told, name).toMatchObject({ code: "invalid-duration" });
});
