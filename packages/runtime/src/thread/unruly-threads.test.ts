import type { Worker } from "node:worker_threads";
import { type AnyJob, type Logger, silentLogger, systemClock, UNSETTLED } from "@millrace/core";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import type { ThreadContext } from "./thread-context.ts";
import { ThreadPool } from "./thread-pool.ts";
import { startThreadNode, type ThreadNode } from "./fixtures/thread-node.ts";
import { schooled, impatient, type Misdeed, unruly } from "./fixtures/unruly-jobs.ts";

// Real threads in real time. An error in an event handler would be an uncaught one of this process.

const lines: string[] = [];
let onLine: (line: string) => void = () => {};
/** As many loggers do, it throws on what JSON does not have. */
const log: Logger = {
  ...silentLogger,
  info: (fields, message) => note(fields, message),
  warn: (fields, message) => note(fields, message),
  child: () => log,
};
function note(fields: object, message: string): void {
  const line = `${message} ${JSON.stringify(fields)}`;
  lines.push(line);
  onLine(line);
}

let shared: ThreadNode;
beforeAll(async () => {
  shared = await startThreadNode({ jobs: [unruly, schooled, impatient], slots: 1, log });
  await shared.broker.queues.ensure("children");
});
afterAll(() => shared.node.stop({ immediate: true }));
beforeEach(() => {
  lines.length = 0;
  onLine = () => {};
});

test.each<[Misdeed, string]>([
  ["throw-null", "null"],
  ["throw-undefined", "undefined"],
  ["throw-odd", "5"],
])("%s in a thread ends that thread and not its node", async (misdeed, told) => {
  expect(await shared.run(misdeed)).toMatchObject({
    state: "dead",
    error: { type: "thread-exited", message: expect.stringContaining(told) as string },
  });
  expect(await shared.run("post-text")).toMatchObject({ state: "succeeded" });
});

test.each<[Misdeed]>([["post-null"], ["post-text"]])(
  "%s: a message of the handler's own is nobody's",
  async (misdeed) => {
    expect(await shared.run(misdeed)).toMatchObject({ state: "succeeded", output: "posted" });
  },
);

test("a message that is made to look like one of the thread's costs no more than the attempt", async () => {
  const node = await startThreadNode({ jobs: [unruly] });
  onTestFinished(() => node.node.stop({ immediate: true }));
  expect(await node.run("post-forged")).toMatchObject({
    state: "dead",
    error: { type: "thread-exited" },
  });
  expect(await node.run("post-text")).toMatchObject({ state: "succeeded" });
});

test.each<[Misdeed, string]>([
  ["log-bigint", 'bigint {"unloggable":["n"]}'],
  ["log-cycle", 'cycle {"unloggable":["cycle"]}'],
  ["log-symbol", 'Symbol(said) {"n":1}'],
  ["log-deep", "what a handler's thread said nests too deeply to be read"],
])("%s: a line that can't be written fails no job and no node", async (misdeed, line) => {
  expect(await shared.run(misdeed)).toMatchObject({ state: "succeeded", output: "logged" });
  expect(lines).toContainEqual(expect.stringContaining(line));
});

test("a line of a level that there is not is left out, and fails no job", async () => {
  expect(await shared.run("log-unknown")).toMatchObject({ state: "succeeded", output: "logged" });
  expect(lines).toEqual([]);
});

test("a result that is too deep for the node's stack is dropped at once, whatever its schema", async () => {
  expect(await shared.run("return-deep", schooled)).toMatchObject({
    state: "succeeded",
    outputDropped: "unserializable",
    reason: expect.stringContaining("nests too deeply") as string,
  });
  expect(await shared.run("return-deep")).toMatchObject({
    state: "succeeded",
    outputDropped: "unserializable",
  });
});

test.each<[Misdeed]>([["wish-deep-snooze"], ["wish-deep-retry"], ["throw-deep-snooze"]])(
  "%s: a wish that was made by hand without a number for its delay fails the attempt",
  async (misdeed) => {
    expect(await shared.run(misdeed)).toMatchObject({
      ...{ state: "dead", error: { message: expect.stringContaining("is no number") as string } },
    });
  },
);

test("a wish that was made by hand leaves its thread as it is meant, however deep it is", async () => {
  expect(await shared.run("wish-deep")).toMatchObject({ state: "cancelled" });
});

test("what a job has left behind in its thread says and enqueues nothing in the name of the next", async () => {
  expect(await shared.run("leave")).toMatchObject({ output: "left" });
  const second = await shared.run("stir-up");
  expect(second).toMatchObject({ state: "succeeded", output: [second?.id, "job-ended"] });
  expect(second?.children).toBeUndefined();
  expect(lines).not.toContainEqual(expect.stringContaining("too late"));
  for (const id of ["unawaited", "late"])
    expect(await shared.broker.findWaiting(id)).toBeUndefined();
});

test("a job that was enqueued, not waited for and refused fails no job that runs in the thread later, and is a line of the log", async () => {
  const said = told("a job that its handler did not wait for ");
  expect(await shared.run("leave-refused")).toMatchObject({ output: "left" });
  expect(await said).toContain("no-such-queue");
  expect(await shared.run("stir-up")).toMatchObject({ state: "succeeded" });
});

test("a job that was not made before its handler's end is left out, and that is a line of the log", async () => {
  const said = told("a job that its handler did not wait for was left out");
  expect(await shared.run("leave-unmade")).toMatchObject({ output: "left" });
  expect(await said).toContain("job-ended");
  expect(await shared.broker.findWaiting("unmade")).toBeUndefined();
  expect(await shared.run("stir-up")).toMatchObject({ state: "succeeded" });
});

test("a lease that is lost during the grace ends the thread at once", async () => {
  const { exit } = watchThread();
  const { broker, node, enqueue } = await startThreadNode({ jobs: [impatient], log });
  onTestFinished(() => node.stop({ immediate: true }));
  await enqueue(impatient.name, "ignore-abort");
  await told("told to stop");
  broker.loseLeases("work");
  await exit;
  expect(node.state).toBe("running");
});

test("an attempt that is over although its handler goes on ends the thread", async () => {
  const { exit } = watchThread();
  const begun = told("begun");
  const { node, run } = await startThreadNode({
    ...{ jobs: [unruly], log },
    middleware: [(_context, next) => Promise.race([next(), begun.then(() => "enough")])],
  });
  onTestFinished(() => node.stop({ immediate: true }));
  expect(await run("ignore-abort")).toMatchObject({ state: "succeeded", output: "enough" });
  await exit;
  expect(node.state).toBe("running");
});

test("a middleware that answers without waiting for the thread's job ends that thread and not its node", async () => {
  const { exit } = watchThread();
  const { node, run } = await startThreadNode({
    jobs: [unruly],
    middleware: [
      async (_context, next) => {
        void next();
        return "early";
      },
    ],
  });
  onTestFinished(() => node.stop({ immediate: true }));
  expect(await run("ignore-abort")).toMatchObject({ state: "succeeded", output: "early" });
  await exit;
  expect(node.state).toBe("running");
});

/** The next line that begins so. */
function told(start: string): Promise<string> {
  return new Promise((resolve) => {
    onLine = (line) => line.startsWith(start) && resolve(line);
  });
}

/** The next that is started, and what its handler logs. */
function watchThread() {
  const exit = Promise.withResolvers<void>();
  const started = Promise.withResolvers<Worker>();
  const watch = (worker: Worker): void => {
    started.resolve(worker);
    worker.once("exit", exit.resolve);
  };
  process.once("worker", watch);
  onTestFinished(() => void process.off("worker", watch));
  return { exit: exit.promise, worker: started.promise };
}

test("where no other thread can be made for a job whose own ended before it began, its attempt fails and its node lives", async () => {
  let isFull = false;
  const pool = new ThreadPool(systemClock, {
    get maxHeapMb(): number {
      if (isFull) throw new Error("no thread is to be had");
      return 64;
    },
  });
  onTestFinished(() => pool.close());
  const { exit, worker } = watchThread();
  const context = (): ThreadContext => contextOf("post-text");
  expect(await pool.run(unruly as AnyJob, context())).toBe("posted");
  isFull = true;
  // It is idle, and is given the next job before anybody knows that it has ended.
  void (await worker).terminate();
  await expect(pool.run(unruly as AnyJob, context())).rejects.toThrow("no thread is to be had");
  await exit;
});

function contextOf(payload: Misdeed): ThreadContext {
  return {
    ...{ envelope: { ...UNSETTLED, id: "j", name: unruly.name, queue: "work", payload } },
    ...{ signal: new AbortController().signal, token: 1, node: "n", maxAttempts: 1, log },
    ...{ trace: undefined, lease: undefined },
  } as unknown as ThreadContext;
}
