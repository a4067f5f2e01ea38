import { expect, test } from "vitest";
import { UNSETTLED } from "../envelope/envelope.ts";
import { needsProgramDoor } from "../flow/reach.ts";
import { invokedBy, invokedId } from "./invoked-id.ts";

const by = { machine: "order", id: "eu:o-17", run: "a1", number: 12 };

test("an invoked job says which machine has invoked it, whatever its id", () => {
  expect(invokedBy({ id: invokedId(by) })).toEqual(by);
});

test.each<[string, Parameters<typeof invokedBy>[0]]>([
  ["has another id", { id: "j-1" }],
  ["came in by a producer's door", { id: invokedId(by), sentFrom: "mail" }],
  ["names no machine", { id: "millrace-m:order:1" }],
  ["has no number", { id: "millrace-m:order:o-17:a1:x" }],
])("a job that %s was invoked by none", (_what, job) => {
  expect(invokedBy(job)).toBeUndefined();
});

test("an invoked job takes the programs' door, which producers can't use", () => {
  const job = { ...UNSETTLED, id: invokedId(by), name: "n", queue: "mail", payload: 1 };
  expect(needsProgramDoor({ ...job, createdAt: 1, headers: {} })).toBe(true);
});

test("the longest name and id leave room for the rest of a job's id", () => {
  const longest = { machine: "m".repeat(32), id: "i".repeat(60) };
  const run = Number.MAX_SAFE_INTEGER.toString(36);
  expect(invokedId({ ...longest, run, number: 999_999_999 }).length).toBeLessThanOrEqual(128);
});
