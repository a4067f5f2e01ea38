import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const REMOVES = /\bafterEach\(.*\brm(?:Sync)?\(/;
const ENDS_LATER = /\b(?:cleanUpLater|onTestFinished)\(/;

/** What a test finishes with comes after all of its `afterEach`. */
test("no directory goes before what a test ends later, which may still write there", () => {
  const files = globSync(["{test,examples,bench}/**/*.ts", "packages/*/src/**/*.test.ts"], {
    cwd: root,
    exclude: ["**/node_modules/**"],
  });
  expect(files.length).toBeGreaterThan(500);
  const early = files.filter((path) => {
    const source = readFileSync(resolve(root, path), "utf8");
    return REMOVES.test(source) && ENDS_LATER.test(source);
  });
  expect(early).toEqual([]);
});
