import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");

/**
 * Before Node 22.20 and 24.7, `node:sqlite` takes `?1` for the name of a parameter, and throws
 * where values are given by position. A plain `?` works in each Node that is supported.
 */
test("no SQL has numbered parameters", async () => {
  const files = globSync("packages/*/src/**/*.ts", { cwd: ROOT }).filter(
    (file) => !file.endsWith(".test.ts"),
  );
  const texts = await Promise.all(files.map((file) => readFile(resolve(ROOT, file), "utf8")));
  expect(texts.filter((text) => text.includes(".prepare(")).length).toBeGreaterThan(0);
  const numbered = texts.flatMap((text, index) =>
    text
      .split("\n")
      .filter((line) => /[\s(=,]\?\d/.test(line))
      .map((line) => `${files[index]}: ${line.trim()}`),
  );
  expect(numbered).toEqual([]);
});
