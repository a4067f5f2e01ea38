import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import { defineJob, type Logger, silentLogger, UNSETTLED } from "@millrace/core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { NodeOptions } from "../node/node-options.ts";
import { type Ask, BREAK_DOWN, hasty, obedient } from "./fixtures/thread-jobs.ts";
import { QUEUE, startThreadNode, type ThreadNode } from "./fixtures/thread-node.ts";
import { broken } from "./fixtures/throws-on-import.ts";

// Real threads in real time.

const jobs = [obedient, hasty, broken];

/** For tests that need no node of their own: starting a thread is most of a test's time. */
let shared: ThreadNode;
beforeAll(async () => {
  shared = await startThreadNode({ jobs, name: "n1" });
});
afterAll(() => shared.node.stop({ immediate: true }));

async function threadNode(options: Partial<NodeOptions> = {}): Promise<ThreadNode> {
  const started = await startThreadNode({ jobs, ...options });
  onTestFinished(() => started.node.stop({ immediate: true }));
  return started;
}

test("a result comes back, and the handler knows who and where it is", async () => {
  const { run, node } = shared;
  expect(await run("echo")).toMatchObject({
    state: "succeeded",
    output: {
      attempt: 1,
      maxAttempts: 1,
      token: expect.any(Number),
      node: node.name,
      at: new Date(0),
    },
  });
});

test("a thread is used again when it is idle, and its job's own thread is not the node's", async () => {
  const { run } = shared;
  const first = await run("thread");
  const second = await run("thread");
  expect(first?.output).toBeGreaterThan(0);
  expect(second?.output).toBe(first?.output);
});

test.each<[Ask, object]>([
  ["throw-type-error", { state: "dead", error: { type: "TypeError", message: "wrong type" } }],
  ["throw-text", { state: "dead", error: { type: "handler-failed", message: "just text" } }],
  ["snooze", { state: "requeued", outcome: "snoozed", attempts: 0 }],
  [
    "fatal",
    { state: "dead", reason: "fatal", error: { type: "RangeError", message: "never again" } },
  ],
  ["cancel", { state: "cancelled", reason: "unwanted" }],
  [
    "unclonable",
    { state: "succeeded", outputDropped: "unserializable", reason: "output is a function" },
  ],
  ["things", { output: { at: "https://a.example/", since: new Date(5) } }],
  [
    "map",
    {
      state: "succeeded",
      outputDropped: "unserializable",
      reason: expect.stringContaining("output.seen is a Map") as string,
    },
  ],
])("%s crosses the border whole", async (ask, expected) => {
  const { run } = shared;
  expect(await run(ask)).toMatchObject(expected);
});

test("a failure's stack shows the job's file", async () => {
  const { run } = shared;
  expect((await run("throw-type-error"))?.error?.stack).toContain("thread-jobs.ts");
});

test("retryAfter() crosses the border with its cause", async () => {
  const { settled, broker } = shared;
  const [result] = await broker.enqueue([
    {
      ...UNSETTLED,
      id: "r",
      name: obedient.name,
      queue: QUEUE,
      payload: "retry-after",
      maxAttempts: 2,
      createdAt: Date.now(),
      headers: {},
    },
  ]);
  expect(result).toMatchObject({ ok: true });
  await settled("r");
  expect(await broker.history.read({ id: "r" })).toMatchObject([
    { state: "requeued", outcome: "failed", error: { type: "Error", message: "busy" } },
  ]);
});

test("log lines arrive at the node's log with the job they belong to", async () => {
  const lines: [string, object, string][] = [];
  const logger = (bound: object): Logger => {
    const note = (level: string) => (fields: object, message: string) =>
      void lines.push([level, { ...bound, ...fields }, message]);
    return {
      debug: note("debug"),
      info: note("info"),
      warn: note("warn"),
      error: note("error"),
      child: (fields) => logger({ ...bound, ...fields }),
    };
  };
  const { run } = await threadNode({ log: logger({}) });
  await run("log");
  const about = {
    node: expect.any(String) as string,
    job: "j1",
    name: obedient.name,
    queue: QUEUE,
    attempt: 1,
  };
  expect(lines).toContainEqual(["info", { ...about, n: 1 }, "hello"]);
  expect(lines).toContainEqual(["warn", { ...about, part: "a", n: 2 }, "careful"]);
  // What can't be cloned is told as far as JSON goes, and fails nothing.
  expect(lines).toContainEqual(["info", { ...about, kept: 1 }, "odd"]);
});

test("a handler that stalls its thread stalls no other job", async () => {
  const quick = defineJob({ name: "t.quick", queue: QUEUE }).handler(() => "quick");
  const { enqueue, settled, node } = await threadNode({ jobs: [obedient, quick] });
  const started = new Promise<void>((resolve) => node.events.on("job.started", () => resolve()));
  const busy = await enqueue(obedient.name, "busy");
  await started;
  let busyEnded = false;
  const busySettled = settled(busy).then(() => (busyEnded = true));
  await settled(await enqueue(quick.name, null));
  expect(busyEnded).toBe(false);
  await busySettled;
});

test("a handler that listens to its signal ends by itself, and its thread lives on", async () => {
  const { run } = shared;
  // One file, so one thread; warm, or the hasty job's time would be up before its handler begins.
  const before = (await run("thread"))?.output;
  expect(await run("listen", hasty)).toMatchObject({ outcome: "timed-out" });
  expect((await run("thread"))?.output).toBe(before);
});

test("one that does not is ended after its grace; its slot is free and the node well", async () => {
  const { run, node } = await threadNode({ slots: 1 });
  await run("echo");
  expect(await run("ignore", hasty)).toMatchObject({
    state: "dead",
    outcome: "timed-out",
    error: { type: "timed-out" },
  });
  expect(node.health()).toMatchObject({ ready: true, queues: [{ used: 0 }] });
  expect(await run("echo")).toMatchObject({ state: "succeeded" });
});

test.each<[Ask, RegExp]>([
  ["exit", /exit code 7/],
  ["uncaught", /thrown in a timer/],
])("%s ends the thread and the attempt, not the node", async (ask, message) => {
  const { run, node } = shared;
  expect(await run(ask)).toMatchObject({
    state: "dead",
    outcome: "failed",
    error: { type: "thread-exited", message: expect.stringMatching(message) as string },
  });
  expect(await run("echo")).toMatchObject({ state: "succeeded" });
  expect(node.state).toBe("running");
});

test("a heap that is used up ends the thread and the attempt, not the node", async () => {
  const { run } = await threadNode({ threads: { maxHeapMb: 32 } });
  expect(await run("out-of-memory")).toMatchObject({
    outcome: "failed",
    error: { type: "thread-exited", message: expect.stringMatching(/memory/) as string },
  });
  expect(await run("echo")).toMatchObject({ state: "succeeded" });
});

test("a thread that breaks down after its job had ended costs no job that is done", async () => {
  const exits: Promise<unknown>[] = [];
  const watch = (worker: Worker): void => void exits.push(once(worker, "exit"));
  process.on("worker", watch);
  onTestFinished(() => void process.off("worker", watch));
  const { run, node } = await threadNode();
  expect(await run("late-uncaught")).toMatchObject({ state: "succeeded", output: "ended" });
  const thread = await stopTurning();
  thread.breakDown();
  await expect(Promise.race(exits)).rejects.toThrow("after the end");
  expect(await run("echo")).toMatchObject({ state: "succeeded" });
  expect(node.state).toBe("running");
});

test("a job that was given to a thread which breaks down before it begins runs in another", async () => {
  const { run, enqueue, settled, node, broker } = await threadNode();
  expect(await run("late-uncaught")).toMatchObject({ state: "succeeded" });
  const thread = await stopTurning();
  const started = new Promise<void>((resolve) => node.events.on("job.started", () => resolve()));
  const id = await enqueue(obedient.name, "echo");
  await started;
  thread.breakDown();
  await settled(id);
  expect(await broker.history.read({ id })).toMatchObject([{ state: "succeeded" }]);
});

/** Of the thread that ran a `late-uncaught` job. */
async function stopTurning() {
  const state = new Int32Array(new SharedArrayBuffer(8));
  const channel = new BroadcastChannel(BREAK_DOWN);
  channel.postMessage(state);
  channel.close();
  await Atomics.waitAsync(state, 0, 0, 20_000).value;
  expect(state[0]).toBe(1);
  return {
    breakDown: () => {
      Atomics.store(state, 1, 1);
      Atomics.notify(state, 1);
    },
  };
}

test("a file that throws on import fails the attempt with what it threw", async () => {
  const { run } = shared;
  expect(await run("echo", broken)).toMatchObject({
    state: "dead",
    error: { type: "thread-exited", message: expect.stringMatching(/no licence/) as string },
  });
});

test("a file that does not export the job says so", async () => {
  const elsewhere = defineJob({
    name: "thread.elsewhere",
    queue: QUEUE,
    isolation: "thread",
    module: new URL("fixtures/thread-jobs.ts", import.meta.url).href,
    retry: "none",
  }).handler(() => "never");
  const { run } = await threadNode({ jobs: [elsewhere] });
  expect(await run("echo", elsewhere)).toMatchObject({
    state: "dead",
    error: { message: expect.stringMatching(/exports no job called thread\.elsewhere/) as string },
  });
});

test("a file that is not there is refused at the start, before a job could die of it", async () => {
  const nowhere = defineJob({
    name: "thread.nowhere",
    queue: QUEUE,
    isolation: "thread",
    module: new URL("fixtures/nowhere.ts", import.meta.url).href,
    retry: "none",
  }).handler(() => "never");
  await expect(threadNode({ jobs: [nowhere] })).rejects.toMatchObject({
    code: "invalid-job",
    message: expect.stringMatching(/nowhere\.ts\. Set module: import\.meta\.url/) as string,
  });
});

test("a stop ends every thread, busy or idle, and hands the busy ones' jobs back", async () => {
  const exits: Promise<unknown>[] = [];
  const watch = (worker: Worker): void => void exits.push(once(worker, "exit"));
  process.on("worker", watch);
  onTestFinished(() => void process.off("worker", watch));
  const { broker, node, settled, enqueue } = await threadNode({ grace: "500ms" });
  const started = new Promise<void>((resolve) => node.events.on("job.started", () => resolve()));
  const [id, other] = [
    await enqueue(obedient.name, "ignore"),
    await enqueue(obedient.name, "echo"),
  ];
  await started;
  await settled(other);
  await node.stop();
  expect(await broker.history.read({ id })).toMatchObject([
    { state: "requeued", outcome: "interrupted", attempts: 0 },
  ]);
  expect(exits).toHaveLength(2);
  await Promise.all(exits);
});

test("a handler in a thread enqueues as any other, and its children are on record", async () => {
  const { run, broker } = shared;
  await broker.queues.ensure("children");
  const record = await run("enqueue");
  const id = record?.id ?? "";
  expect(record?.output).toEqual([`${id}-1`, "kept", [`${id}-3`, "invalid-name"]]);
  expect(record?.children).toEqual({
    count: 2,
    jobs: [
      { id: `${id}-1`, queue: "children" },
      { id: `${id}-3`, queue: "children" },
    ],
  });
  expect((await broker.findWaiting(`${id}-1`))?.envelope.parent).toEqual({ id, queue: QUEUE });
  expect((await run("enqueue-unclonable"))?.output).toContain(
    "unserializable-payload: The value can't be sent: payload.run is a function",
  );
});

test("a handler in a thread has transactions, past which nothing is enqueued", async () => {
  expect((await shared.run("transaction"))?.output).toEqual([true, true, "tx: invalid-option"]);
});

test("what a handler in a thread enqueues arrives as it would from the node, or is refused by itself", async () => {
  const { run, broker } = shared;
  await broker.queues.ensure("children");
  const record = await run("enqueue-things");
  const id = record?.id ?? "";
  expect(record?.output).toEqual([
    `${id}-url`,
    expect.stringContaining(`${id}-map: The value can't be sent: payload.at is a Map`),
    expect.stringContaining(`${id}-late: The value can't be sent: payload is a Promise`),
  ]);
  expect((await broker.findWaiting(`${id}-url`))?.envelope.payload).toEqual({
    at: "https://a.example/",
  });
});

test("a signal that a handler forgets in its thread is told of in the node's log, once", async () => {
  const warnings: string[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (_fields, message) => void warnings.push(message),
    child: () => log,
  };
  const { run } = await threadNode({ log });
  expect((await run("forget-signal"))?.state).toBe("succeeded");
  await run("forget-signal");
  expect(warnings).toEqual([expect.stringContaining('"return fatal(…)"')]);
});
