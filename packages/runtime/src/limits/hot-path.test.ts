import { type Broker, defineJob, UNSETTLED } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { stopInTime } from "../fixtures/simulated-node.ts";
import { createNode } from "../node/node.ts";

/** Notes every call that reaches a broker or one of its stores. */
function watched(broker: MemoryBroker, calls: string[]): Broker {
  const watch = <T extends object>(target: T, path: string): T =>
    new Proxy(target, {
      get: (_, property) => {
        const value: unknown = Reflect.get(target, property, target);
        const name = `${path}${String(property)}`;
        if (typeof value === "function")
          return (...given: unknown[]) => {
            calls.push(name);
            return (value as (...args: unknown[]) => unknown).apply(target, given);
          };
        return typeof value === "object" && value !== null && STORES.has(name)
          ? watch(value, `${name}.`)
          : value;
      },
    });
  return watch<Broker>(broker, "");
}

const STORES = new Set(["queues", "blocked", "locks", "history", "deadLetters"]);

test("a job without a gate costs its settlement, and not one call more", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const calls: string[] = [];
  const plain = defineJob({ name: "plain", queue: "q" }).handler(() => 1);
  const capped = defineJob<{ k: string }>({
    name: "capped",
    queue: "q",
    concurrency: { key: ({ k }) => k, limit: 1 },
  }).handler(() => 1);
  const node = createNode({
    broker: watched(broker, calls),
    clock,
    jobs: [plain, capped],
    name: "n",
  });
  onTestFinished(() => stopInTime(node, clock));
  await node.start();
  await clock.advance("1s");
  calls.length = 0;
  const enqueue = async (name: string, count: number): Promise<readonly string[]> => {
    calls.length = 0;
    await broker.enqueue(
      Array.from({ length: count }, (_, n) => ({
        ...UNSETTLED,
        id: `${name}${n}`,
        name,
        queue: "q",
        payload: { k: "x" },
        createdAt: clock.now(),
        headers: {},
      })),
    );
    await clock.advance(0);
    return [...calls];
  };
  expect(await enqueue("plain", 100)).toEqual(Array.from({ length: 100 }, () => "settle"));
  // The proxy sees what a gate asks for.
  expect(await enqueue("capped", 1)).toContain("locks.acquire");
});

test("with nothing blocked, a sweep is one question", async () => {
  const clock = new SimulatedClock();
  const calls: string[] = [];
  const plain = defineJob({ name: "plain", queue: "q" }).handler(() => 1);
  const broker = new MemoryBroker({ clock });
  const node = createNode({ broker: watched(broker, calls), clock, jobs: [plain], name: "n" });
  onTestFinished(() => stopInTime(node, clock));
  await node.start();
  calls.length = 0;
  await clock.advance("50s");
  expect(calls).toEqual(Array.from({ length: 10 }, () => "blocked.count"));
});
