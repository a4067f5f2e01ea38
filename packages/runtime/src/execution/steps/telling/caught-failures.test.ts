import type { FailedStep } from "@millrace/core";
import { expect, test } from "vitest";
import { CaughtFailures } from "./caught-failures.ts";

const failureOf = (name: string): { readonly entry: FailedStep; readonly replaced: undefined } => ({
  entry: {
    ...{ name, n: 0, at: 1, life: 0, kind: "run", outcome: "failed" },
    error: { type: "Error", message: name },
  },
  replaced: undefined,
});

/** Writes that are confirmed when it is told. */
function slowly() {
  const written: string[] = [];
  const confirm: (() => void)[] = [];
  const caught = new CaughtFailures({
    attempts: 0,
    isOpen: () => true,
    turn: () => Promise.resolve(),
    record: async ({ name }) => {
      written.push(name);
      await new Promise<void>((resolve) => confirm.push(resolve));
      return { revision: written.length };
    },
  });
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { caught, written, settled, confirm: () => confirm.shift()?.() };
}

test("a failure that is caught while another is written down is on record before the next step", async () => {
  const { caught, written, settled, confirm } = slowly();
  caught.add(failureOf("a"));
  const first = caught.noted();
  await settled();
  caught.add(failureOf("b"));
  let isNoted = false;
  const second = caught.noted()?.then(() => (isNoted = true));
  confirm();
  await first;
  await settled();
  expect(written).toEqual(["a", "b"]);
  expect(isNoted).toBe(false);
  confirm();
  await second;
  expect(caught.noted()).toBeUndefined();
});

test("one that nobody goes on after does not stand, though others were written down meanwhile", async () => {
  const { caught, written, settled, confirm } = slowly();
  caught.add(failureOf("a"));
  const first = caught.noted();
  await settled();
  caught.add(failureOf("b"));
  confirm();
  await first;
  expect(written).toEqual(["a"]);
  const kept = caught.kept();
  await settled();
  expect(written).toEqual(["a", "b"]);
  caught.add(failureOf("c"));
  confirm();
  await settled();
  confirm();
  await kept;
  const last = caught.noted();
  await settled();
  expect(written.slice(2)).toEqual(["b"]);
  confirm();
  await settled();
  confirm();
  await last;
  expect(written.slice(2)).toEqual(["b", "c"]);
});
