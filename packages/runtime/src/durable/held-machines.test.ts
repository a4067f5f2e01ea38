import { type MachineDocument, MillraceError } from "@millrace/core";
import { expect, test } from "vitest";
import { HeldMachines } from "./held-machines.ts";

const machine = "unit";
const held = (id: string, bytes: number): MachineDocument =>
  ({ machine, id, context: "x".repeat(bytes) }) as unknown as MachineDocument;

test("as many documents are remembered as take 64 MiB together, those that were used last", () => {
  const machines = new HeldMachines({ now: () => 0 });
  for (let n = 0; n < 100; n += 1)
    machines.keep({ document: held(`m-${n}`, 2 ** 20), revision: n + 1 });
  const there = Array.from({ length: 100 }, (_, n) => n).filter(
    (n) => machines.get({ machine, id: `m-${n}` }) !== undefined,
  );
  expect(there).toEqual(Array.from({ length: 63 }, (_, n) => n + 37));

  machines.keep({ document: held("m-99", 10), revision: 200 });
  machines.forget({ machine, id: "m-98" });
  for (let n = 0; n < 1_100; n += 1)
    machines.keep({ document: held(`small-${n}`, 10), revision: n + 300 });
  expect(machines.get({ machine, id: "m-97" })).toBeUndefined();
  expect(machines.get({ machine, id: "small-100" })).toMatchObject({ revision: 400 });
  expect(machines.get({ machine, id: "small-99" })).toBeUndefined();
});

test("a machine of another version is not read again for each event that waits for it", () => {
  const time = { now: 0 };
  const machines = new HeldMachines({ now: () => time.now });
  const ref = { machine, id: "a" };
  const fail = (code: "machine-mismatch" | "revision-conflict"): boolean => {
    machines.failed(ref, new MillraceError(code, "no"));
    return machines.get(ref) !== undefined;
  };
  machines.keep({ document: held("a", 1), revision: 1 });
  expect(fail("machine-mismatch")).toBe(true);
  time.now = 1_001;
  expect(fail("machine-mismatch")).toBe(false);
  machines.keep({ document: held("a", 1), revision: 1 });
  expect(fail("revision-conflict")).toBe(false);
});
