import { globSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { LONG, longGlobs } from "./part.ts";

const root = resolve(import.meta.dirname, "../..");

test.each(Object.keys(LONG))("%s is the beginning of a test file's path", (start) => {
  expect(globSync(`${start}**/*.test.ts`, { cwd: root }).length + filesOf(start)).toBeGreaterThan(
    0,
  );
});

test.each(globSync("bench/*.test.ts", { cwd: root }))("%s measures, and is listed", (path) => {
  expect(Object.keys(LONG).filter((start) => path.startsWith(start))).toHaveLength(1);
});

test("most files are in the short part", () => {
  const all = globSync(["packages/*/src/**/*.test.ts", "{test,examples,bench}/**/*.test.ts"], {
    cwd: root,
  });
  const long = all.filter((path) => Object.keys(LONG).some((start) => path.startsWith(start)));
  expect(long.length).toBeLessThan(all.length / 3);
  expect(longGlobs()).toHaveLength(Object.keys(LONG).length);
});

function filesOf(start: string): number {
  return globSync(`${start}*.test.ts`, { cwd: root }).length;
}
