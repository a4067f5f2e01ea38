import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const PACKAGES = join(ROOT, "packages");
const PAGE = readFileSync(join(ROOT, "docs/architecture.md"), "utf8");
/** What the files from pull to ack have now. The goal is 1,500; until then it may only sink. */
const CORRIDOR_LINES = 1_945;
const PRODUCT = globSync("*/src/**/*.ts", { cwd: PACKAGES }).filter(
  (file) => !/\.(?:test|test-d|fixture)\.ts$|\/fixtures\//.test(file),
);
const source = (file: string): string => readFileSync(join(PACKAGES, file), "utf8");

test("the diagrams of packages and folders show the imports as they are", () => {
  const { stderr } = spawnSync(
    process.execPath,
    [join(ROOT, "scripts/draw-architecture.mjs"), "--check"],
    { encoding: "utf8" },
  );
  expect(stderr).toBe("");
});

test("the files from pull to ack are there, are at most 15, and do not grow", () => {
  const files = [...sectionOf("From pull to ack").matchAll(/^\d+\. `([^`]+)`/gm)].map(
    ([, file]) => file as string,
  );
  expect(files.length).toBeGreaterThan(10);
  expect(files.length).toBeLessThanOrEqual(15);
  expect(files.filter((file) => !existsSync(join(PACKAGES, file)))).toEqual([]);
  const lines = files.reduce((sum, file) => sum + source(file).split("\n").length - 1, 0);
  expect(lines).toBeLessThanOrEqual(CORRIDOR_LINES);
});

test("no folder of a package holds one file alone", () => {
  const entries = globSync("*/{src,page}/**", { cwd: PACKAGES });
  const isAlone = (folder: string): boolean =>
    entries.filter((entry) => dirname(entry) === folder).length === 1;
  const folders = new Set(entries.map((entry) => dirname(entry)));
  expect([...folders].filter((folder) => folder.includes("/") && isAlone(folder))).toEqual([]);
});

test("XState machines are those of a node and of a lock, and the chart of an execution", () => {
  const makers = PRODUCT.filter((file) => /\bcreateMachine\(/.test(source(file)))
    // Where users' machines are told to come from.
    .filter((file) => file !== "core/src/durable/define-machine.ts");
  expect(makers.toSorted()).toEqual([
    "core/src/machine/execution-machine.ts",
    "runtime/src/lock/lock-machine.ts",
    "runtime/src/node/node-machine.ts",
    "runtime/src/scheduler/scheduler-machine.ts",
    "runtime/src/service/service-machine.ts",
  ]);
  for (const file of makers) expect(sectionOf("State"), file).toContain(`\`${basename(file)}\``);
});

test("who runs an XState machine of Millrace's has no boolean beside it", () => {
  const owners = PRODUCT.filter((file) => /\bcreateActor\(\w+Machine\b/.test(source(file)));
  expect(owners.length).toBe(4);
  const beside = /^\s*(?:let (?:\w+)|(?:readonly )?#\w+)(?:: boolean)?(?: = (?:true|false))?;/gm;
  const found = owners.flatMap((file) =>
    [...source(file).matchAll(beside)]
      .filter(([line]) => /boolean|true|false/.test(line))
      .map(([line]) => `${file}: ${line.trim()}`),
  );
  expect(found).toEqual([]);
});

function sectionOf(title: string): string {
  const text = PAGE.split(`\n## ${title}\n`)[1]?.split("\n## ")[0];
  if (text === undefined) throw new Error(`docs/architecture.md has no section ${title}`);
  return text;
}
