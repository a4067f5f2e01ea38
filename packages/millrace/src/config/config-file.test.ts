import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadConfigFile } from "./config-file.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-config-"));
});
afterEach(() => rm(dir, { recursive: true }));

test("no file is fine; one that was named must be there", async () => {
  expect(await loadConfigFile(undefined, dir)).toBeUndefined();
  await expect(loadConfigFile("none.json", dir)).rejects.toMatchObject({
    code: "invalid-option",
    message: expect.stringContaining("none.json") as string,
  });
});

test("TypeScript is imported as it is and comes before JSON", async () => {
  await writeFile(join(dir, "millrace.config.json"), '{"slots": 1}');
  expect((await loadConfigFile(undefined, dir))?.values).toEqual({ slots: 1 });
  await writeFile(
    join(dir, "millrace.config.ts"),
    "const slots: number = 2;\nexport default { slots };",
  );
  expect(await loadConfigFile(undefined, dir)).toEqual({
    path: "millrace.config.ts",
    values: { slots: 2 },
  });
});

test.each([
  ["c.json", '{"password": "hunter2"', /no valid JSON/],
  ["c.json", "[]", /must hold an object/],
  ["c.mjs", "export const slots = 1;", /default export/],
  ["c.mjs", "export default { token: hunter2 };", /a text without its quotes/],
  ["c.mjs", "throw new Error('broken');", /can't be imported: broken/],
])("%s holding %j is refused", async (name, text, message) => {
  await writeFile(join(dir, name), text);
  const error: unknown = await loadConfigFile(name, dir).catch((caught: unknown) => caught);
  expect(error).toMatchObject({
    code: "invalid-option",
    message: expect.stringMatching(message) as string,
  });
  expect(String(error)).not.toContain("hunter2");
});
