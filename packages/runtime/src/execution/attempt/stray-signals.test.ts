import {
  cancel,
  defineJob,
  type ExecutionContext,
  fatal,
  type Handler,
  type Logger,
  retryAfter,
  silentLogger,
  snooze,
} from "@millrace/core";
import { describe, expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";
import { StraySignals } from "./stray-signals.ts";

const context = {} as ExecutionContext;

function scene() {
  const told: (readonly [string, string])[] = [];
  const strays = new StraySignals((job, wish) => told.push([job, wish]));
  const call = async (name: string, handle: Handler<unknown, unknown>): Promise<unknown> => {
    const job = defineJob<unknown, unknown>({ name, queue: QUEUE }).handler(handle);
    try {
      return await strays.call(job, context);
    } catch (error) {
      return error;
    }
  };
  return { told, call, strays };
}

describe("a signal that a handler makes and forgets", () => {
  test.each<[string, Handler<unknown, unknown>, string]>([
    ["at once", () => void fatal("no"), "fatal"],
    ["after a wait", async () => (await Promise.resolve(), snooze(5), "done"), "snooze"],
    [
      "before it throws something else",
      () => fail(retryAfter(5), new Error("else")),
      "retry-after",
    ],
    ["inside of a value", () => ({ outcome: cancel("no") }), "cancel"],
  ])("%s is told of, once for a job's name", async (_when, handle, wish) => {
    const { told, call } = scene();
    await call("t.job", handle);
    await call("t.job", handle);
    expect(told).toEqual([["t.job", wish]]);
    await call("t.other", handle);
    expect(told).toHaveLength(2);
  });

  test("by a function whose source doesn't show it, from the second time on at the latest", async () => {
    const { told, call } = scene();
    const hidden: () => unknown = () => fatal("no");
    const handle = async () => {
      hidden();
      return "done";
    };
    await call("t.job", handle);
    await call("t.job", handle);
    expect(told).toEqual([["t.job", "fatal"]]);
  });

  test("is told apart from those of handlers beside it", async () => {
    const { told, call } = scene();
    const wait = Promise.withResolvers<void>();
    const good = call("t.good", async () => {
      await wait.promise;
      return snooze(5);
    });
    const bad = call("t.bad", async () => {
      fatal("no");
      await wait.promise;
    });
    wait.resolve();
    await Promise.all([good, bad]);
    expect(told).toEqual([["t.bad", "fatal"]]);
  });
});

describe("nothing is said of a signal", () => {
  const outside = fatal("made outside");
  test.each<[string, Handler<unknown, unknown>]>([
    ["that was returned", () => fatal("no")],
    ["that was returned later", async () => (await Promise.resolve(), snooze(5))],
    ["that was thrown", () => fail(undefined, retryAfter(5))],
    ["that another took the place of", () => (fatal("no"), snooze(5))],
    [
      "that is a cause",
      () => fail(undefined, new Error("a", { cause: new Error("b", { cause: fatal("no") }) })),
    ],
    ["that is one of several errors", () => fail(undefined, new AggregateError([fatal("no")]))],
    ["that was made outside of a handler", () => void outside.wish],
  ])("%s", async (_what, handle) => {
    const { told, call } = scene();
    await call("t.job", handle);
    fatal("made between two jobs");
    await call("t.job", handle);
    expect(told).toEqual([]);
  });
});

test("what a handler gives is passed on as it is", async () => {
  const { call, strays } = scene();
  const job = defineJob({ name: "t.plain", queue: QUEUE }).handler(() => "plain");
  expect(strays.call(job, context)).toBe("plain");
  const thrown = new Error("no");
  expect(await call("t.throws", () => fail(snooze(1), thrown))).toBe(thrown);
});

test("a node says it in its log, with the job's name and what to write", async () => {
  const warnings: string[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (_fields, message) => void warnings.push(message),
    child: () => log,
  };
  const { enqueue, clock, history } = await simulatedNode({
    jobs: [defineJob({ name: "t.job", queue: QUEUE }).handler(() => void fatal("no"))],
    log,
  });
  await enqueue("t.job");
  await clock.advance("1s");
  expect(await history()).toMatchObject([{ state: "succeeded" }]);
  expect(warnings).toEqual([expect.stringMatching(/t\.job called fatal\(\).*"return fatal\(…\)"/)]);
});

function fail(_made: unknown, error: unknown): never {
  throw error;
}
