import { noMetrics, silentLogger, systemClock } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { expect, test } from "vitest";
import { nodeConfig, type NodeOptions } from "./node-options.ts";

const base: NodeOptions = { broker: new MemoryBroker(), jobs: [] };

test("the defaults", () => {
  const config = nodeConfig(base);
  expect(config).toMatchObject({
    slots: 16,
    graceMs: 20_000,
    leaseMs: 30_000,
    poisonAfter: 3,
    middleware: [],
    threads: {},
    log: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
  });
  expect(config.name).toMatch(/^[A-Za-z0-9_-]+-\d+-[a-z0-9]+$/);
  expect(Object.isFrozen(config)).toBe(true);
});

test("options are taken over", () => {
  const config = nodeConfig({
    ...base,
    name: "n:1",
    slots: 1,
    grace: 0,
    lease: "1s",
    poisonAfter: 1,
    threads: { maxHeapMb: 64 },
    queues: { mail: { slots: 2, weights: { low: 2 }, settings: { maxJobs: 5 } } },
  });
  expect(config).toMatchObject({
    name: "n:1",
    slots: 1,
    graceMs: 0,
    leaseMs: 1_000,
    poisonAfter: 1,
    threads: { maxHeapMb: 64 },
  });
  expect([...config.queues]).toEqual([
    ["mail", { slots: 2, weights: { low: 2 }, settings: { maxJobs: 5 } }],
  ]);
});

test.each<[Partial<NodeOptions>, string, RegExp]>([
  [{ name: "two words" }, "invalid-option", /^name .*'two words'/],
  [{ name: "" }, "invalid-option", /^name /],
  [{ slots: 0 }, "invalid-option", /^slots .*0/],
  [{ slots: 1.5 }, "invalid-option", /^slots .*1\.5/],
  [{ slots: Number.NaN }, "invalid-option", /^slots .*NaN/],
  [{ slots: 4n as unknown as number }, "invalid-option", /^slots .*4n/],
  [{ slots: "4" as unknown as number }, "invalid-option", /^slots .*'4'/],
  [{ queues: { mail: { slots: -1 } } }, "invalid-option", /^queues\.mail\.slots .*-1/],
  [
    { queues: { mail: { weights: { low: 0 } } } },
    "invalid-option",
    /^queues\.mail\.weights\.low .*0/,
  ],
  [{ queues: { "a b": {} } }, "invalid-name", /a b/],
  [{ grace: "soon" as "1s" }, "invalid-duration", /^grace: "soon"/],
  [{ lease: "x" as "1s" }, "invalid-duration", /^lease: "x"/],
  [{ lease: "999ms" }, "invalid-option", /^lease .*999ms/],
  [{ lease: "25h" }, "invalid-option", /^lease .*at most 24h.*25h/],
  [{ schedulerLease: "30d" }, "invalid-option", /^schedulerLease .*at most 24h.*30d/],
  [{ name: "n".repeat(129) }, "invalid-option", /^name .*up to 128/],
  [{ maxParked: -1 }, "invalid-option", /^maxParked .*-1/],
  [{ queues: { mail: { maxParked: 0.5 } } }, "invalid-option", /^queues\.mail\.maxParked .*0\.5/],
  [{ poisonAfter: 0 }, "invalid-option", /^poisonAfter .*0/],
  [{ threads: { maxHeapMb: 0 } }, "invalid-option", /^threads\.maxHeapMb .*0/],
])("%o is refused, and the field named", (options, code, message) => {
  expect(() => nodeConfig({ ...base, ...options })).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) as string }),
  );
});
