import type { StoredDeadLetter } from "@millrace/core";
import { expect, test } from "vitest";
import { groupLetters } from "./dead-groups.ts";

let sequence = 0;
const letter = (more: Partial<StoredDeadLetter>): StoredDeadLetter => ({
  ...{ id: "j", name: "send", queue: "mail", reason: "fatal", attempts: 1, at: 1, node: "n" },
  ...{ sequence: (sequence += 1), body: new Uint8Array(), headers: {} },
  ...more,
});

async function* each(letters: readonly StoredDeadLetter[]): AsyncGenerator<StoredDeadLetter> {
  yield* letters;
}

test("letters are counted by what they died of, the most frequent first", async () => {
  const timeout = (message: string) => ({ type: "TimeoutError", message });
  const { name: _none, ...nameless } = letter({ id: "u", at: 13, reason: "undecodable" });
  const groups = await groupLetters(
    each([
      letter({ id: "a", at: 10, error: timeout("after 5 s") }),
      letter({ id: "x", at: 11, queue: "img", error: timeout("after 5 s") }),
      letter({ id: "b", at: 30, error: timeout("after 9 s") }),
      letter({ id: "late", at: 20, error: timeout("after 7 s") }),
      letter({ id: "e", at: 12, reason: "expired" }),
      nameless,
    ]),
  );
  expect(groups.map(({ lastId, count }) => [lastId, count])).toEqual([
    ["b", 3],
    ["u", 1],
    ["e", 1],
    ["x", 1],
  ]);
  expect(groups[0]).toEqual({
    queue: "mail",
    name: "send",
    reason: "fatal",
    error: "TimeoutError",
    count: 3,
    firstAt: 10,
    lastAt: 30,
    perHour: [{ at: 0, count: 3 }],
    lastId: "b",
    message: "after 9 s",
  });
  expect(groups[1]).not.toHaveProperty("error");
  expect(await groupLetters(each([]))).toEqual([]);
});

test("a cause says how many died of it in each hour, for the newest week of such hours", async () => {
  const hour = 3_600_000;
  const at = [5 * hour + 1, 2 * hour, 5 * hour, 3 * hour - 1];
  const [group] = await groupLetters(each(at.map((time) => letter({ at: time }))));
  expect(group?.perHour).toEqual([
    { at: 2 * hour, count: 2 },
    { at: 5 * hour, count: 2 },
  ]);
  const many = Array.from({ length: 200 }, (_, n) => letter({ at: n * hour }));
  const [long] = await groupLetters(each(many));
  expect(long).toMatchObject({ count: 200, firstAt: 0 });
  expect(long?.perHour).toHaveLength(168);
  expect(long?.perHour.at(-1)).toEqual({ at: 199 * hour, count: 1 });
});
