import { type DeadJob, defineJob, type ExecutionLog, type SucceededJob } from "@millrace/core";
import { MemoryServer, SimulatedClock } from "@millrace/testkit";
import { describe, expect, test, vi } from "vitest";
import { QUEUE, simulatedNode, stopInTime } from "../fixtures/simulated-node.ts";

interface Order {
  cents: number;
  lines: unknown[];
}
const tell = defineJob<SucceededJob | DeadJob>({ name: "t.tell", queue: QUEUE, retry: "none" });
const order = defineJob<Order>({
  name: "t.order",
  queue: QUEUE,
  steps: true,
  retry: { attempts: 2, backoff: "fixed", base: "1s", jitter: false },
  onSucceeded: tell,
  onDead: tell,
});
const SENT = { cents: 100, lines: [1, 2] };

function change(input: Order): void {
  input.cents += 50;
  input.lines.pop();
}

/** A node whose handler does this with its input; what it was given, and who is told of its end. */
async function scene(handle: (input: Order, run: number) => unknown) {
  const given: unknown[] = [];
  const told: unknown[] = [];
  const made = await simulatedNode({
    jobs: [
      order.handler(async ({ input, step }) => {
        given.push(structuredClone(input));
        await step.run("look", () => {});
        return handle(input, given.length);
      }),
      tell.handler(({ input }) => void told.push(input)),
    ],
  });
  await made.enqueue("t.order", SENT);
  await made.clock.advance("1h");
  return { ...made, given, told };
}

describe("what a handler changes in its input", () => {
  test("is not what the next attempt is given, nor whoever is told of a death", async () => {
    const { given, told } = await scene((input) => {
      change(input);
      throw new Error("busy");
    });
    expect(given).toEqual([SENT, SENT]);
    expect(told).toMatchObject([{ end: "dead", attempts: 2, payload: SENT }]);
  });

  test("is not what it is given after a sleep, nor whoever is told of its success", async () => {
    const made: unknown[] = [];
    const told: unknown[] = [];
    const { clock, enqueue } = await simulatedNode({
      jobs: [
        order.handler(async ({ input, step }) => {
          while (input.lines.length > 0) {
            const line = input.lines.shift();
            made.push(await step.run("make", () => `made ${String(line)}`));
            await step.sleep("rest", "1m");
          }
        }),
        tell.handler(({ input }) => void told.push(input)),
      ],
    });
    await enqueue("t.order", SENT);
    await clock.advance("1h");
    expect(made).toEqual(["made 1", "made 1", "made 2", "made 1", "made 2"]);
    expect(told).toMatchObject([{ end: "succeeded", payload: SENT }]);
  });

  test.each([
    ["a Map", () => new Map([[1, 2]])],
    ["itself", (input: Order) => input],
    ["two megabytes", () => new Uint8Array(2_000_000)],
  ])("does not end a job that failed once: %s", async (_what, put) => {
    const { given, told, broker } = await scene((input, run) => {
      input.lines.push(put(input));
      if (run === 1) throw new Error("busy");
    });
    expect(given).toEqual([SENT, SENT]);
    expect(told).toMatchObject([{ end: "succeeded", attempts: 2, payload: SENT }]);
    expect(await broker.deadLetters.list()).toEqual([]);
  });

  test("is not what the execution log is told it was given", async () => {
    const record = vi.fn<ExecutionLog["record"]>();
    const { broker, clock, enqueue } = await simulatedNode({
      jobs: [
        order.handler(({ input, signal }) => {
          change(input);
          if (record.mock.calls.length === 0) throw new Error("busy");
          return new Promise((resolve) => {
            signal.addEventListener("abort", resolve);
          });
        }),
        tell.handler(() => {}),
      ],
      executionLog: { record, close: async () => {} },
    });
    await enqueue("t.order", SENT);
    await clock.advance("2s");
    broker.loseLeases(QUEUE);
    await clock.advance("1ms");
    expect(record.mock.calls.map(([{ outcome }, { payload }]) => [outcome, payload])).toEqual([
      ["failed", SENT],
      ["lease-lost", SENT],
    ]);
  });

  test("is not what another node is given of a job that was handed back", async () => {
    const clock = new SimulatedClock();
    const server = new MemoryServer(clock);
    const given: unknown[] = [];
    const on = (name: string, handle: (input: Order) => unknown) =>
      simulatedNode({
        ...{ clock, server, name },
        jobs: [order.handler(({ input }) => handle(input))],
      });
    const first = await on("first", (input) => {
      change(input);
      return new Promise(() => {});
    });
    await first.enqueue("t.order", SENT);
    await stopInTime(first.node, clock);
    await on("second", (input) => void given.push(input));
    await clock.advance("1m");
    expect(given).toEqual([SENT]);
  });
});
