import { defineJob, planJob } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { createClient } from "./client.ts";

const clock = new SimulatedClock();
const client = createClient(new MemoryBroker({ clock }), clock);
const defined = defineJob({ name: "welcome" });
/** As JavaScript would hand it over. */
const js = (value: unknown): never => value as never;

const CALLS: readonly (readonly [string, (job: unknown) => unknown])[] = [
  ["enqueue", (job) => client.enqueue(js(job), js({}))],
  ["enqueue once", (job) => client.enqueue(js(job), js({}), { id: "a", once: true })],
  ["enqueueMany", (job) => client.enqueueMany(js(job), [{ input: js({}) }])],
  ["enqueueMany of none", (job) => client.enqueueMany(js(job), [])],
  ["enqueueMany at once", (job) => client.enqueueMany(js(job), [], { atomic: true })],
  ["chain", (job) => client.chain(js(job), js({}))],
  ["planJob", (job) => planJob(js(job), js({}))],
];

test.each(["welcome", undefined, null])("next of %j says what it needs", (given) => {
  expect(() => client.chain(defined, js({})).next(js(given))).toThrow(
    /as defineJob\(\) returned it/,
  );
});

test.each(
  CALLS.flatMap(([name, call]) =>
    [
      ["welcome", 'the text "welcome"'],
      [undefined, "undefined, as of an export"],
      [{ to: "ada@example.com" }, "an object"],
    ].map(([given, told]) => ({ name, call, given, told })),
  ),
)("$name of what is no definition ($told) says what it needs", async ({ call, given, told }) => {
  await expect((async () => call(given))()).rejects.toMatchObject({
    code: "invalid-option",
    message: expect.stringContaining(`as defineJob() returned it; got ${String(told)}`) as string,
  });
});
