import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";

/**
 * A deadline says that something hangs. It costs nothing while all is well, and a short one makes a
 * test fail because the machine was busy. What has to be fast is asserted by itself, in simulated
 * time.
 */
const LEAST_MS = 15_000;

/** They see deadlines pass. */
const OF_THE_HARNESS = [
  "test/harness/child.test.ts",
  "test/harness/deadline.test.ts",
  "test/harness/patience.test.ts",
  "test/harness/servers.test.ts",
];

const root = resolve(import.meta.dirname, "../..");

/** A number that is a wait's whole deadline. What `close` and `stop` are given is none. */
const DEADLINES = [
  /(?<!(?:close|stop)\(\{ )\bwithinMs: (\d[\d_]*)(?=[,\s}])/g,
  /\bwithin\((?:[^()\n]|\((?:[^()\n]|\([^()\n]*\))*\))*, (\d[\d_]*), /g,
  /(?<!process)\.exit\((\d[\d_]{3,})\)/g,
  /\.(?:line|message|nth)\((?:[^()\n]|\([^()\n]*\))*, (\d[\d_]*)\)/g,
  // Of a test.
  /^ *\}, (\d+_\d{3})\);$/gm,
];

const files = globSync(["{test,examples,bench}/**/*.ts", "packages/*/src/**/*.test.ts"], {
  cwd: root,
  exclude: ["**/node_modules/**"],
}).filter((path) => !OF_THE_HARNESS.includes(path) && !path.startsWith("test/simulation/"));

test("nothing is given up before a busy machine has had its time", () => {
  const short = files.flatMap((path) => {
    const source = readFileSync(resolve(root, path), "utf8");
    return DEADLINES.flatMap((pattern) => [...source.matchAll(pattern)])
      .filter(([, ms = ""]) => Number(ms.replaceAll("_", "")) < LEAST_MS)
      .map(([found]) => `${path}: ${found.trim()}`);
  });
  expect(short).toEqual([]);
});

test("what vitest waits for says for how long: its own default is a second", () => {
  const short = files.flatMap((path) =>
    readFileSync(resolve(root, path), "utf8")
      .split("\n")
      .filter((line) => /\bvi\.wait(?:For|Until)\(|\bexpect\.poll\(/.test(line))
      .filter((line) => !/PATIENT|timeout/.test(line))
      .map((line) => `${path}: ${line.trim()}`),
  );
  expect(short).toEqual([]);
});
