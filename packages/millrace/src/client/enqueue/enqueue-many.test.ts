import { defineJob, type Schema } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "../../testing/test-runtime.ts";

/** As JavaScript would hand it over. */
const js = (item: unknown): never => item as never;

const throwing = (validate: (value: unknown) => never | Promise<never>): Schema => ({
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => (value === "bad" ? validate(value) : { value }),
  },
});
const broken = (): never => {
  throw new TypeError("secret of the payload");
};

const plain = defineJob<unknown>({ name: "plain", queue: "work" });
const unique = defineJob<unknown>({
  ...{ name: "unique", queue: "work" },
  unique: { key: (input) => `of ${String(input)}` },
});
const schemas = [throwing(broken), throwing(async () => broken())];

test.each(
  [plain, unique].flatMap((job) =>
    [
      [{ input: 2, delay: null }, "invalid-duration"],
      [{ input: 2, delay: {} }, "invalid-duration"],
      [{ input: 2, timeout: 5n }, "invalid-duration"],
      [{ input: 2, expiresIn: true }, "invalid-duration"],
      [{ input: 2, headers: new Map([["a", "b"]]) }, "invalid-option"],
      [{ input: 2, headers: null }, "invalid-option"],
      [{ input: 2, headers: "abc" }, "invalid-option"],
      [null, "invalid-option"],
      [5, "invalid-option"],
    ].map(([item, code]) => ({ job, item, code })),
  ),
)("of $job.name jobs, one that is $item fails by itself", async ({ job, item, code }) => {
  await using t = await createTestRuntime({ jobs: [job.handler(() => {})] });
  const results = await t.client.enqueueMany(job, [{ input: 1 }, js(item), { input: 3 }]);
  expect(results).toMatchObject([{ ok: true }, { ok: false, error: { code } }, { ok: true }]);
});

test.each(schemas)(
  "a schema that throws fails the job whose payload it was given, and no other",
  async (input) => {
    const job = defineJob<unknown>({ name: "checked", queue: "work", input });
    await using t = await createTestRuntime({ jobs: [job.handler(() => {})] });
    const [good, bad] = await t.client.enqueueMany(job, [{ input: 1 }, { input: "bad" }]);
    expect(good).toMatchObject({ ok: true });
    expect(bad).toMatchObject({
      ok: false,
      error: { code: "invalid-payload", cause: expect.any(TypeError) as TypeError },
    });
    expect(bad?.ok === false && bad.error.message).not.toContain("secret");
  },
);

test.each([{}, { atomic: true }])("items that are no list are refused: %j", async (options) => {
  await using t = await createTestRuntime({ jobs: [plain.handler(() => {})] });
  for (const items of [5, null, { input: 1 }, new Set([{ input: 1 }])])
    await expect(t.client.enqueueMany(plain, js(items), options)).rejects.toMatchObject({
      code: "invalid-option",
    });
});

test("options that are no object are refused", async () => {
  await using t = await createTestRuntime({ jobs: [plain.handler(() => {})] });
  for (const options of [null, 5, "soon"])
    await expect(t.client.enqueue(plain, 1, js(options))).rejects.toMatchObject({
      code: "invalid-option",
    });
});
