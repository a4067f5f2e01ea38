import { expect, test } from "vitest";
import { fromLockKey, toLockKey } from "./lock-key.ts";

test.each([
  ["leader/scheduler", "leader/scheduler"],
  ["cap/mail/a@b.example/0", "cap/mail/a=40b=2Eexample/0"],
  ["a:b=c", "a=3Ab=3Dc"],
  ["ünï 漢💧*>", "=C3=BCn=C3=AF=20=E6=BC=A2=F0=9F=92=A7=2A=3E"],
])("%s is the key %s, and back", (name, key) => {
  expect(toLockKey(name)).toBe(key);
  expect(fromLockKey(key)).toBe(name);
});

test("no name, and one that is too long, is refused", () => {
  for (const name of ["", "x".repeat(513)])
    expect(() => toLockKey(name)).toThrow(expect.objectContaining({ code: "invalid-name" }));
});
