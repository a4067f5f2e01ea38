import { expect, test } from "vitest";
import { UNSETTLED } from "../envelope/envelope.ts";
import { needsProgramDoor } from "../flow/reach.ts";
import { invokedBy, newInvokedId } from "./invoked-id.ts";

const by = { machine: "order", id: "eu:o-17", run: "a1", number: 12 };

test("an invoked job says which machine has invoked it, whatever its id", () => {
  expect(invokedBy({ id: newInvokedId(by) })).toEqual(by);
});

test("the id of an invoked job can't be guessed", () => {
  expect(newInvokedId(by)).not.toBe(newInvokedId(by));
});

test.each<[string, Parameters<typeof invokedBy>[0]]>([
  ["has another id", { id: "j-1" }],
  ["came in by a producer's door", { id: newInvokedId(by), sentFrom: "mail" }],
  ["names no machine", { id: "millrace-m:order:1:secret" }],
  ["has no number", { id: "millrace-m:order:o-17:a1:x:secret" }],
])("a job that %s was invoked by none", (_what, job) => {
  expect(invokedBy(job)).toBeUndefined();
});

test("an invoked job takes the programs' door, which producers can't use", () => {
  const job = { ...UNSETTLED, id: newInvokedId(by), name: "n", queue: "mail", payload: 1 };
  expect(needsProgramDoor({ ...job, createdAt: 1, headers: {} })).toBe(true);
});

test("the longest name and id leave room for the rest of a job's id", () => {
  const longest = { machine: "m".repeat(32), id: "i".repeat(50) };
  const run = "r".repeat(11);
  expect(newInvokedId({ ...longest, run, number: 999_999_999 }).length).toBeLessThanOrEqual(128);
});
