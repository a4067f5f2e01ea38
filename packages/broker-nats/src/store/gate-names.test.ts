import { expect, test } from "vitest";
import { GateNames } from "./gate-names.ts";

test("only names of gates at which something waits are kept, and each is read once meanwhile", async () => {
  const asked: string[] = [];
  let [under, most] = [0, 0];
  const names = new GateNames(async (subject) => {
    asked.push(subject);
    most = Math.max(most, (under += 1));
    await Promise.resolve();
    under -= 1;
    return subject === "a.gone" ? undefined : `name of ${subject}`;
  });
  const many = Array.from({ length: 100 }, (_, n) => `a.${n}`);
  const all = (): boolean => true;
  expect((await names.of([...many, "a.gone"], all)).size).toBe(100);
  expect(most).toBe(16);
  await names.of(many, all);
  expect(asked).toHaveLength(101);
  // Of another queue nothing was looked at.
  await names.of(["b.1"], (subject) => subject.startsWith("b."));
  expect(names.size).toBe(101);
  expect(await names.of(["a.1"], all)).toEqual(new Map([["a.1", "name of a.1"]]));
  expect(names.size).toBe(1);
});
