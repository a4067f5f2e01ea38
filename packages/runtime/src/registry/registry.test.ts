import { defineJob, defineSchedule } from "@millrace/core";
import { expect, test } from "vitest";
import { collectJobs } from "./collect-jobs.ts";
import { collectSchedules, requireSchedules } from "./collect-schedules.ts";
import { Registry } from "./registry.ts";

const job = (name: string, queue?: string) =>
  defineJob({ name, ...(queue === undefined ? {} : { queue }) }).handler(() => {});

test("jobs are found by name, and their queues named once", () => {
  const a = job("a", "mail");
  const registry = new Registry([a, job("b", "mail"), job("c")]);
  expect(registry.get("a", "mail")).toBe(a);
  expect(registry.get("z", "mail")).toBeUndefined();
  expect(registry.get("toString", "mail")).toBeUndefined();
  expect(registry.queues).toEqual(["mail", "default"]);
});

test("a name is served in the queue of its definition, and in those that no job is defined on", () => {
  const pay = job("pay", "payments");
  const registry = new Registry([pay, job("send", "mail")]);
  expect(registry.get("pay", "payments")).toBe(pay);
  expect(registry.get("pay", "mail")).toBeUndefined();
  expect(registry.get("pay", "anything")).toBe(pay);
});

test.each<[string, readonly unknown[], string, RegExp]>([
  ["no jobs", [], "no-jobs", /at least one job/],
  ["a definition without a handler", [defineJob({ name: "bare" })], "no-handler", /^bare has/],
  ["something else", [null], "no-handler", /^One of the jobs/],
  ["two of one name", [job("a"), job("a", "other")], "duplicate-job", /called a/],
  [
    "a thread job without its module",
    [defineJob({ name: "t", isolation: "thread" }).handler(() => {})],
    "invalid-job",
    /^t asks .*import\.meta\.url/,
  ],
])("%s is refused", (_what, jobs, code, message) => {
  expect(() => new Registry(jobs)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) as string }),
  );
});

test("a module's jobs are its default, its named exports and its lists, each once", () => {
  const [a, b, c] = [job("a"), job("b"), job("c")];
  const found = collectJobs({
    default: a,
    again: a,
    b,
    list: [b, c],
    definition: defineJob({ name: "d" }),
    text: "x",
    nothing: null,
  });
  expect(found.map(({ name }) => name)).toEqual(["a", "b", "c"]);
});

test("two different jobs of one name in one module are not hidden from the registry", () => {
  const jobs = collectJobs({ one: job("same"), two: job("same") });
  expect(() => new Registry(jobs)).toThrow(expect.objectContaining({ code: "duplicate-job" }));
});

test("a module's schedules are found beside its jobs, each once, and a name means one of them", () => {
  const schedule = (name: string) => defineSchedule({ name, cron: "* * * * *", job: job("a") });
  const [a, b] = [schedule("a"), schedule("b")];
  expect(collectSchedules({ default: job("a"), a, again: a, list: [a, b], text: "x" })).toEqual([
    a,
    b,
  ]);
  expect(requireSchedules([a, b, a])).toEqual([a, b]);
  for (const wrong of [[a, schedule("a")], [job("a")], [null]])
    expect(() => requireSchedules(wrong)).toThrow(
      expect.objectContaining({ code: "invalid-schedule" }),
    );
});

test("outcomes that would go round in a circle for ever are refused", () => {
  const end = defineJob({ name: "a" });
  const b = defineJob({ name: "b", onDead: end });
  const round = defineJob({ name: "a", onSucceeded: b });
  expect(() => new Registry([round.handler(() => {}), b.handler(() => {})])).toThrow(
    expect.objectContaining({
      code: "invalid-job",
      message: expect.stringContaining("a → b → a") as string,
    }),
  );
  expect(new Registry([end.handler(() => {}), b.handler(() => {})]).queues).toEqual(["default"]);
});
