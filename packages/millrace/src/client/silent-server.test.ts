import { type Broker, MillraceError } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { createClient } from "./client.ts";
import type { Millrace } from "./millrace.ts";

const reason = new Error("the tab was closed");
const never = (): Promise<never> => new Promise(() => {});

/** Everything that is asked of it stays without an answer. */
function silent<T extends object>(of: T, parts: readonly string[]): T {
  return new Proxy(of, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (parts.includes(String(key))) return silent(value as object, []);
      if (typeof value !== "function" || key === "onStatus") return bound(value, target);
      return never;
    },
  });
}

function bound(value: unknown, target: object): unknown {
  return typeof value === "function" ? (value.bind(target) as unknown) : value;
}

const PARTS = [
  ...["queues", "history", "locks", "progress", "jobLogs", "delayed", "blocked", "batches"],
] as const satisfies readonly (keyof Broker)[];

function scene(): { client: Millrace; clock: SimulatedClock } {
  const clock = new SimulatedClock();
  return { clock, client: createClient(silent(new MemoryBroker({ clock }), PARTS), clock) };
}

const first = <T>(reading: AsyncIterable<T>): Promise<unknown> =>
  reading[Symbol.asyncIterator]().next();

/** How a call ends, and after how long. */
function outcome(call: Promise<unknown>, clock: SimulatedClock): { told: unknown; ms: number } {
  const began = clock.monotonic();
  const end = { told: "waits" as unknown, ms: Number.NaN };
  const say = (what: unknown): void => {
    end.told = what;
    end.ms = clock.monotonic() - began;
  };
  call.then(say, say);
  return end;
}

test("a signal ends every wait, where the server does not answer", async () => {
  const { client, clock } = scene();
  const stop = new AbortController();
  const { signal } = stop;
  const handle = client.handle("a", "work");
  const rejects = {
    result: handle.result({ signal }),
    progress: first(handle.progress({ signal })),
    logs: first(handle.logs({ signal })),
    "logs that are followed": first(handle.logs({ follow: true, signal })),
    cancel: handle.cancel("x", { signal }),
    "cancel that waits": client.cancel("a", { queue: "work", wait: true, signal }),
    lock: client.lock("l", { signal }, () => 1),
    "a machine": client.machine("m", "x").waitFor(() => true, { signal }),
    drain: client.queues.drain("work", { signal }),
    purge: client.queues.purge("work", { signal }),
    "an operation": client.operations.run("x", { signal }),
  };
  const ends = {
    events: first(client.events({ signal })),
    watch: first(client.jobs.watch({ signal })),
  };
  const told = Object.entries({ ...rejects, ...ends }).map(
    ([name, call]) => [name, outcome(call, clock)] as const,
  );
  await clock.advance("1s");
  for (const [name, end] of told) expect(end.told, name).toBe("waits");
  stop.abort(reason);
  await clock.advance(0);
  const atOnce = told.filter(([, { ms }]) => ms === 1_000).map(([name]) => name);
  expect(Object.keys({ ...rejects, ...ends }).filter((name) => !atOnce.includes(name))).toEqual([
    // What has begun to change something is given time to come to an orderly end.
    ...["drain", "purge", "an operation"],
  ]);
  await clock.advance("2s");
  // A purge has paused its queue for all, and is not to leave it so.
  expect(told.filter(([, end]) => end.told === "waits").map(([name]) => name)).toEqual(["purge"]);
  await clock.advance("28s");
  for (const [name, end] of told)
    expect(end.told, name).toEqual(name in ends ? { done: true, value: undefined } : reason);
});

test("a time that was given ends every wait, where the server does not answer", async () => {
  const { client, clock } = scene();
  const told = {
    machine: outcome(
      client.machine("m", "x").waitFor(() => true, { timeout: "500ms" }),
      clock,
    ),
    drain: outcome(client.queues.drain("work", { timeout: "500ms" }), clock),
    lock: outcome(
      client.lock("l", { wait: "5s" }, () => 1),
      clock,
    ),
    "a lock that is not waited for": outcome(
      client.lock("l", { wait: 0 }, () => 1),
      clock,
    ),
  };
  await clock.advance("10s");
  expect(told).toEqual({
    machine: { told: expect.objectContaining({ code: "result-timeout" }) as unknown, ms: 500 },
    drain: { told: expect.objectContaining({ code: "request-timeout" }) as unknown, ms: 2_500 },
    // Whether another holds it is not known.
    lock: { told: expect.objectContaining({ code: "request-timeout" }) as unknown, ms: 5_050 },
    "a lock that is not waited for": {
      told: expect.objectContaining({ code: "request-timeout" }) as unknown,
      ms: 2_000,
    },
  });
});

test("a reading that a signal has ended stays ended, also where an outage keeps it", async () => {
  const { client, clock } = scene();
  const stop = new AbortController();
  const reading = client.events({ signal: stop.signal })[Symbol.asyncIterator]();
  const waiting = outcome(reading.next(), clock);
  await clock.advance(0);
  stop.abort(reason);
  await clock.advance(0);
  expect(waiting.told).toEqual({ done: true, value: undefined });
  expect(await reading.next()).toEqual({ done: true, value: undefined });
  expect(await reading.return?.()).toEqual({ done: true, value: undefined });
});

test("a drain whose server falls silent in the middle tells how the queue was at the last look", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  await broker.queues.ensure("work");
  broker.queues.snapshot = (
    (snapshot): typeof snapshot =>
    async (queue) => ({
      ...(await snapshot(queue)),
      queued: 3,
    })
  )(broker.queues.snapshot.bind(broker.queues));
  const client = createClient(broker, clock);
  const stop = new AbortController();
  const drains = {
    timed: outcome(client.queues.drain("work", { timeout: "10s" }), clock),
    signalled: outcome(client.queues.drain("work", { signal: stop.signal }), clock),
  };
  await clock.advance("5s");
  broker.queues.snapshot = never;
  stop.abort(reason);
  await clock.advance("10s");
  const told = { drained: false, status: expect.objectContaining({ queued: 3 }) as unknown };
  expect(drains).toEqual({ timed: { told, ms: 12_000 }, signalled: { told, ms: 7_000 } });
});

test("a lock that another holds is busy when the wait is over, and not unanswered", async () => {
  const clock = new SimulatedClock();
  const client = createClient(new MemoryBroker({ clock }), clock);
  const held = outcome(client.lock("l", {}, never), clock);
  await clock.advance(0);
  const told = outcome(
    client.lock("l", { wait: "5s" }, () => 1),
    clock,
  );
  await clock.advance("10s");
  expect(held.told).toBe("waits");
  expect(told.ms).toBe(5_000);
  expect(MillraceError.is(told.told, "lock-busy")).toBe(true);
});
