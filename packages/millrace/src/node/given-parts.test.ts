import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { connect } from "../client/connect.ts";
import { createTestRuntime } from "../testing/test-runtime.ts";
import { createNode } from "./connect-node.ts";
import { runNode } from "./run-node.ts";

/** As JavaScript would hand it over. */
const js = (value: object): never => value as never;
const jobs = [defineJob({ name: "work" }).handler(() => {})];
const broker = new MemoryBroker({ clock: new SimulatedClock() });
const node = (option: object) => createNode(js({ jobs, broker, env: {}, ...option }));
const client = (option: object) => connect(js({ broker, ...option }));
const runtime = (option: object) => createTestRuntime(js({ jobs, ...option }));

const CALLS: Readonly<
  Record<string, readonly [(option: object) => Promise<unknown>, readonly object[]]>
> = {
  "a node": [
    node,
    [
      // It has no `child`.
      ...[{ log: console }, { log: false }, { log: "info" }, { metrics: 5 }, { clock: {} }],
      ...[{ instrumentation: true }, { executionLog: 5 }, { waitForServer: 1 }, { broker: {} }],
      ...[{ middleware: 5 }, { middleware: [5] }, { jobs: "work" }, { schedules: {} }],
      ...[{ machines: 5 }, { queues: 5 }, { configFile: 5 }, { env: 5 }],
    ],
  ],
  "a client": [
    client,
    [
      ...[{ metrics: 5 }, { instrumentation: 5 }, { clock: 5 }, { broker: {} }, { name: 5 }],
      ...[{ waitForServer: "yes" }, { configFile: 5 }, { env: 5 }],
    ],
  ],
  "a test's runtime": [
    runtime,
    [
      ...[{ middleware: 5 }, { instrumentation: 5 }, { executionLog: {} }, { random: 0.5 }],
      ...[{ jobs: 5 }, { schedules: {} }, { machines: 5 }, { startMs: "now" }],
    ],
  ],
};

test.each(
  Object.entries(CALLS).flatMap(([of, [call, options]]) =>
    options.map((option) => ({ of, call, option, name: Object.keys(option)[0] ?? "" })),
  ),
)("$of whose $name is nothing of the kind is told so", async ({ call, option, name }) => {
  const refused = { code: "invalid-option", message: expect.stringContaining(name) as string };
  await expect(call(option)).rejects.toMatchObject(refused);
});

test.each([
  ["runNode({})", () => runNode(js({}))],
  ["createNode({})", () => createNode(js({}))],
  ["createTestRuntime({})", () => createTestRuntime(js({}))],
])("%s is told that it needs jobs", async (_, call) => {
  await expect(call()).rejects.toMatchObject({
    code: "invalid-option",
    message: "jobs: must be a list of what definition.handler(…) returned; got undefined.",
  });
});

test.each([
  ["runNode()", () => (runNode as () => Promise<unknown>)()],
  ["createNode()", () => (createNode as () => Promise<unknown>)()],
  ["createTestRuntime()", () => (createTestRuntime as () => Promise<unknown>)()],
])("%s is told that it needs options", async (_, call) => {
  await expect(call()).rejects.toMatchObject({
    code: "invalid-option",
    message: expect.stringMatching(/^options: must be an object .*; got undefined\.$/) as string,
  });
});

test("what a logger lacks is named", async () => {
  await expect(node({ log: console })).rejects.toThrow(
    "log: must be an object with debug(), info(), warn(), error() and child(), as pino is one; " +
      "it has no child().",
  );
});
