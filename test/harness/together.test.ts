import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { LONG } from "./part.ts";
import { filesTogether } from "./together.ts";

const root = resolve(import.meta.dirname, "../..");
const together = filesTogether();

test("no long file shares a process, and each file of the packages does", () => {
  expect(
    together.filter((path) => Object.keys(LONG).some((start) => path.startsWith(start))),
  ).toEqual([]);
  const ofPackages = globSync("packages/*/{src,page}/**/*.test.ts", { cwd: root });
  expect(together.filter((path) => path.startsWith("packages/")).toSorted()).toEqual(
    ofPackages.toSorted(),
  );
  expect(new Set(together).size).toBe(together.length);
});

test("what freezes, kills and counts processes shares none", () => {
  expect(
    together.filter((path) => /^test\/(broker-nats|cli|outbox|reliability)\//.test(path)),
  ).toEqual([]);
});

test("none puts another module in a module's place: those that were loaded with it would stay", () => {
  const mocks = (path: string): boolean =>
    /\bvi\.(do)?mock\(/i.test(readFileSync(resolve(root, path), "utf8"));
  expect(together.filter(mocks)).toEqual([]);
});
