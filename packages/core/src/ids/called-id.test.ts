import { expect, test } from "vitest";
import { needsProgramDoor } from "../flow/reach.ts";
import { UNSETTLED } from "../envelope/envelope.ts";
import { calledBy, calledId } from "./called-id.ts";

const parent = { id: "p", queue: "payroll" };
const id = calledId({ createdAt: 1_700_000_000_000.5 }, "u-1");

test("a called job says which run has called it", () => {
  expect(calledBy({ id, parent })).toEqual({ ...parent, createdAt: 1_700_000_000_000 });
});

test.each<[string, Parameters<typeof calledBy>[0]]>([
  ["has another id", { id: "j-1", parent }],
  ["has no parent", { id }],
  ["came in by a producer's door", { id, parent, sentFrom: "mail" }],
  ["names no time", { id: "millrace-call:x:u-1", parent }],
])("a job that %s was called by none", (_what, job) => {
  expect(calledBy(job)).toBeUndefined();
});

test("a called job takes the programs' door, which producers can't use", () => {
  const job = { ...UNSETTLED, id, name: "n", queue: "mail", payload: 1, createdAt: 1, headers: {} };
  expect(needsProgramDoor(job)).toBe(true);
  expect(needsProgramDoor({ ...job, id: "j-1" })).toBe(false);
});
