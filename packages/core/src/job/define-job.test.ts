import { describe, expect, test } from "vitest";
import { defineJob, isJob, type JobOptions } from "./define-job.ts";
import type { Schema } from "./schema.ts";

const schema: Schema<unknown, string> = {
  "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: String(value) }) },
};

describe("defineJob", () => {
  test("a name is enough", () => {
    expect(defineJob({ name: "mail.welcome" })).toMatchObject({
      name: "mail.welcome",
      queue: "default",
      input: undefined,
      output: undefined,
      timeoutMs: 3_600_000,
      queuedTimeoutMs: undefined,
      graceMs: 5_000,
      isolation: "none",
      module: undefined,
      retry: { attempts: 5 },
    });
  });

  test("takes what it is given", () => {
    const job = defineJob({
      name: "a",
      queue: "mail",
      input: schema,
      output: schema,
      retry: { attempts: 2 },
      timeout: "30s",
      queuedTimeout: "1h",
      grace: 0,
      isolation: "thread",
      module: "file:///jobs.ts",
    });
    expect(job).toMatchObject({
      queue: "mail",
      timeoutMs: 30_000,
      queuedTimeoutMs: 3_600_000,
      graceMs: 0,
      isolation: "thread",
      module: "file:///jobs.ts",
      retry: { attempts: 2 },
    });
    expect([job.input, job.output]).toEqual([schema, schema]);
  });

  test("a definition and its job are frozen, and the handler is the one that was given", () => {
    const definition = defineJob({ name: "a", retry: "none" });
    const handle = (): number => 1;
    const job = definition.handler(handle);
    expect([
      Object.isFrozen(definition),
      Object.isFrozen(job),
      job.handle,
      job.name,
      job.retry,
    ]).toEqual([true, true, handle, "a", definition.retry]);
  });

  test.each<[string, Record<string, unknown>, string, string]>([
    ["no name", {}, "invalid-name", "job name"],
    ["a name with a space", { name: "a b" }, "invalid-name", '"a b"'],
    ["a queue with a dot", { name: "a", queue: "a.b" }, "invalid-name", "queue name"],
    ["an unknown isolation", { name: "a", isolation: "process" }, "invalid-option", "isolation"],
    [
      "a schema of no known kind",
      { name: "a", input: { parse: () => 1 } },
      "invalid-option",
      "input",
    ],
    ["null as schema", { name: "a", output: null }, "invalid-option", "output"],
    ["no time to run", { name: "a", timeout: 0 }, "invalid-option", "timeout"],
    ["no time to wait", { name: "a", queuedTimeout: "0.4ms" }, "invalid-option", "queuedTimeout"],
    ["a grace that is no duration", { name: "a", grace: "a while" }, "invalid-duration", "grace"],
    ["steps that are a number", { name: "a", steps: 2 }, "invalid-option", "steps: 2"],
    ["version 0", { name: "a", steps: { version: 0 } }, "invalid-option", "steps.version"],
    ["a broken version", { name: "a", steps: { version: 1.5 } }, "invalid-option", "1.5"],
    ["unknown older runs", { name: "a", steps: { olderRuns: "kill" } }, "invalid-option", "leave"],
    ["an unknown option", { name: "a", steps: { versions: 2 } }, "invalid-option", "versions"],
    ["a bad retry", { name: "a", retry: { attempts: 0 } }, "invalid-option", "retry.attempts"],
  ])("%s is refused by name", (_, options, code, text) => {
    expect(() => defineJob(options as unknown as JobOptions<unknown, unknown, unknown>)).toThrow(
      expect.objectContaining({
        name: "MillraceError",
        code,
        message: expect.stringContaining(text),
      }),
    );
  });

  test("a handler that is no function is refused", () => {
    expect(() => defineJob({ name: "a" }).handler("x" as unknown as () => void)).toThrow(
      expect.objectContaining({ code: "invalid-job" }),
    );
  });
});

describe("isJob", () => {
  test("tells a job with a handler from everything else a file may export", () => {
    const definition = defineJob({ name: "a" });
    expect(isJob(definition.handler(() => 1))).toBe(true);
    for (const other of [
      definition,
      undefined,
      null,
      "a",
      () => 1,
      {},
      { name: "a", handle: () => 1 },
    ])
      expect(isJob(other)).toBe(false);
  });
});
