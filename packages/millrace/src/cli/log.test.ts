import { expect, test } from "vitest";
import { writeOrDrop } from "./log.ts";

const failure = (code: string): Error => Object.assign(new Error(code), { code });

test("a line that is taken in parts, or later, is written whole", () => {
  const taken: string[] = [];
  let isBusy = true;
  writeOrDrop("größer", (rest) => {
    if (isBusy) {
      isBusy = false;
      throw failure("EAGAIN");
    }
    taken.push(Buffer.from(rest.subarray(0, 3)).toString("latin1"));
    return Math.min(3, rest.length);
  });
  expect(Buffer.from(taken.join(""), "latin1").toString()).toBe("größer");
});

test.each(["ENOSPC", "EPIPE", "EIO", "EDQUOT", "EBADF"])("one that meets %s is dropped", (code) => {
  let asked = 0;
  writeOrDrop("lost", () => {
    asked += 1;
    throw failure(code);
  });
  expect(asked).toBe(1);
});
