import {
  type AttemptTrace,
  defineJob,
  type ExecutionContext,
  type Instrumentation,
  UNSETTLED,
} from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { afterEach, expect, test } from "vitest";
import { createNode, type MillraceNode } from "../node/node.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A node that tells what its instrumentation was told, in order. */
async function tracedNode(
  handle: (context: ExecutionContext<unknown>) => unknown,
  own: Partial<Instrumentation> = {},
  trace: Partial<AttemptTrace> = {},
) {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const told: string[] = [];
  const instrumentation: Instrumentation = {
    publish: ({ envelopes }, send) => send(envelopes),
    attempt: ({ envelope }) => {
      told.push(`attempt ${envelope.attempts + 1}`);
      return {
        traceId: "a".repeat(32),
        run: (call) => call(),
        event: (name) => void told.push(`event ${name}`),
        headers: () => ({}),
        settling: (_input, settlement) => {
          told.push(`settling ${settlement.state}`);
          return settlement;
        },
        settled: (_input, { state }) => void told.push(`settled ${state}`),
        abandoned: () => void told.push("abandoned"),
        ...trace,
      };
    },
    ended: (_input, { state }) => void told.push(`ended ${state}`),
    shutdown: () => {
      told.push("shutdown");
      return Promise.resolve();
    },
    ...own,
  };
  const node = createNode({
    broker,
    clock,
    jobs: [
      defineJob({ name: "work", retry: { attempts: 2, base: "1s" } }).handler(handle),
      defineJob({ name: "steps", queue: "default", steps: true }).handler(handle),
    ],
    instrumentation,
    random: () => 0.5,
    schedulerLease: "6h",
  });
  await node.start();
  stops.push(() => stopped(node, clock));
  const enqueue = async (name = "work"): Promise<void> => {
    await broker.enqueue([
      {
        ...UNSETTLED,
        id: "j",
        name,
        queue: "default",
        payload: null,
        createdAt: clock.now(),
        headers: {},
      },
    ]);
  };
  return { node, clock, broker, told, enqueue };
}

async function stopped(node: MillraceNode, clock: SimulatedClock): Promise<void> {
  if (node.state === "stopped") return;
  const over = node.stop({ immediate: true }).then(() => "over" as const);
  for (let is: "over" | undefined; is === undefined;) {
    const advanced = clock.advance(clock.nextTimerInMs ?? 0).then(() => undefined);
    is = await Promise.race([over, advanced]);
    await advanced;
  }
}

test("an attempt is told of from its start to its confirmed settlement, and the flush comes last", async () => {
  let runs = 0;
  const { node, clock, told, enqueue } = await tracedNode(() => {
    if (runs++ === 0) throw new Error("once");
  });
  await enqueue();
  await clock.advance("1m");
  await stopped(node, clock);
  expect(told).toEqual([
    "attempt 1",
    "settling requeued",
    "settled requeued",
    "attempt 2",
    "settling succeeded",
    "settled succeeded",
    "shutdown",
  ]);
});

test("a job that dies without having run is told of at its end, and never begins", async () => {
  const { clock, told, enqueue } = await tracedNode(() => 1);
  await enqueue("unknown");
  await clock.advance("1s");
  expect(told).toEqual(["ended dead"]);
});

test("a flush that never ends does not keep the node from stopping", async () => {
  const { node, clock } = await tracedNode(() => 1, { shutdown: () => new Promise(() => {}) });
  const before = clock.monotonic();
  await stopped(node, clock);
  expect(node.state).toBe("stopped");
  expect(clock.monotonic() - before).toBeLessThan(30_000);
});

test("an instrumentation that throws at every turn costs its job nothing", async () => {
  const broken = (): never => {
    throw new Error("broken instrumentation");
  };
  const { node, clock, broker, enqueue } = await tracedNode(
    () => "done",
    { publish: broken, ended: broken, shutdown: () => Promise.reject(new Error("no flush")) },
    { run: broken, event: broken, settling: broken, settled: broken, headers: broken },
  );
  await enqueue();
  await clock.advance("1s");
  expect((await broker.history.read({ id: "j" })).at(-1)).toMatchObject({
    state: "succeeded",
    output: "done",
  });
  await stopped(node, clock);
  expect(node.state).toBe("stopped");
});

test("one that throws at a job's steps costs them nothing: each is run once, and its failure is the handler's", async () => {
  const did: string[] = [];
  const broken = (): never => {
    throw new Error("broken instrumentation");
  };
  const { clock, broker, enqueue } = await tracedNode(
    async ({ step }) => {
      await step.run("charge", () => did.push("charge"));
      const failed = step.run("reserve", () => {
        did.push("reserve");
        throw new TypeError("out of stock");
      });
      const type = await failed.catch(({ type: said }: { readonly type: string }) => said);
      await step.waitFor("go", { timeout: "1m" });
      return type;
    },
    {},
    { step: broken, waited: broken },
  );
  await enqueue("steps");
  await clock.advance("2m");
  expect((await broker.history.read({ id: "j" })).at(-1)).toMatchObject({
    state: "succeeded",
    output: "TypeError",
    stepCount: 3,
  });
  expect(did).toEqual(["charge", "reserve"]);
});

test("an instrumentation that can't begin an attempt is left out of it", async () => {
  const { clock, broker, enqueue } = await tracedNode(() => "done", {
    attempt: () => {
      throw new Error("broken instrumentation");
    },
  });
  await enqueue();
  await clock.advance("1s");
  expect((await broker.history.read({ id: "j" })).at(-1)?.state).toBe("succeeded");
});
