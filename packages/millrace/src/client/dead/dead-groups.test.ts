import type { StoredDeadLetter } from "@millrace/core";
import { createMask } from "@millrace/telemetry/masking";
import { expect, test } from "vitest";
import { groupLetters } from "./dead-groups.ts";
import { letterTest } from "./dead-matching.ts";

const MASK = createMask();

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
  const traced = (digit: string) => ({
    traceparent: `00-${digit.repeat(32)}-00f067aa0ba902b7-01`,
  });
  const { name: _none, ...nameless } = letter({ id: "u", at: 13, reason: "undecodable" });
  const groups = await groupLetters(
    each([
      letter({ id: "a", at: 10, error: timeout("after 5 s") }),
      letter({ id: "x", at: 11, queue: "img", error: timeout("after 5 s") }),
      letter({ ...{ id: "b", at: 30 }, error: timeout("after 9 s"), headers: traced("b") }),
      letter({ ...{ id: "late", at: 20 }, error: timeout("after 7 s"), headers: traced("c") }),
      letter({ id: "e", at: 12, reason: "expired" }),
      nameless,
    ]),
    MASK,
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
    fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/) as string,
    pattern: "after *",
    count: 3,
    firstAt: 10,
    lastAt: 30,
    perHour: [{ at: 0, count: 3 }],
    nodes: [{ node: "n", count: 3 }],
    nodeCount: 1,
    lastId: "b",
    lastTraceId: "b".repeat(32),
    message: "after 9 s",
  });
  for (const field of ["error", "fingerprint", "pattern", "frame", "lastTraceId"])
    expect(groups[1]).not.toHaveProperty(field);
  expect(await groupLetters(each([]), MASK)).toEqual([]);
});

test("a cause says on which nodes jobs died of it, and names the twenty of the most", async () => {
  const nodes = ["web-2", "web-1", "web-2", "api"];
  const [group] = await groupLetters(each(nodes.map((node) => letter({ node }))), MASK);
  expect(group).toMatchObject({
    nodes: [
      { node: "web-2", count: 2 },
      { node: "api", count: 1 },
      { node: "web-1", count: 1 },
    ],
    nodeCount: 3,
  });
  const pods = Array.from({ length: 30 }, (_, n) => letter({ node: `pod-${n}` }));
  const [many] = await groupLetters(each([...pods, letter({ node: "pod-29" })]), MASK);
  expect(many?.nodes).toHaveLength(20);
  expect(many).toMatchObject({ count: 31, nodeCount: 30 });
  expect(many?.nodes[0]).toEqual({ node: "pod-29", count: 2 });
});

test("a cause says how many died of it in each hour, for the newest week of such hours", async () => {
  const hour = 3_600_000;
  const at = [5 * hour + 1, 2 * hour, 5 * hour, 3 * hour - 1];
  const [group] = await groupLetters(each(at.map((time) => letter({ at: time }))), MASK);
  expect(group?.perHour).toEqual([
    { at: 2 * hour, count: 2 },
    { at: 5 * hour, count: 2 },
  ]);
  const many = Array.from({ length: 200 }, (_, n) => letter({ at: n * hour }));
  const [long] = await groupLetters(each(many), MASK);
  expect(long).toMatchObject({ count: 200, firstAt: 0 });
  expect(long?.perHour).toHaveLength(168);
  expect(long?.perHour.at(-1)).toEqual({ at: 199 * hour, count: 1 });
});

const at = (called: string, line: number): string =>
  `Error: x\n    at ${called} (/srv/billing.js:${line}:1)`;
const BANK: readonly StoredDeadLetter[] = [
  letter({ id: "a", error: { type: "Error", message: "card 1 refused", stack: at("pay", 7) } }),
  letter({ id: "b", error: { type: "Error", message: "card 22 refused", stack: at("pay", 9) } }),
  letter({ id: "c", error: { type: "Error", message: "card 1 expired", stack: at("pay", 7) } }),
  letter({ id: "d", error: { type: "Error", message: "card 1 refused", stack: at("check", 7) } }),
  letter({ id: "e", error: { type: "Other", message: "card 1 refused", stack: at("pay", 7) } }),
  letter({ id: "f" }),
];

test("another type, message or place is another cause, and its fingerprint means its letters", async () => {
  const groups = await groupLetters(each(BANK), MASK);
  const meant = groups.map(({ fingerprint = null, count }) => {
    const ids = BANK.filter(letterTest({ fingerprint }, 0, MASK)).map(({ id }) => id);
    const where = fingerprint === null ? "error=''" : `fingerprint:${fingerprint}`;
    expect(BANK.filter(letterTest({ where }, 0, MASK)).map(({ id }) => id)).toEqual(ids);
    expect(ids).toHaveLength(count);
    return ids.join("");
  });
  expect(meant.toSorted()).toEqual(["ab", "c", "d", "e", "f"]);
  expect(groups[0]).toMatchObject({ pattern: "card * refused", frame: "pay (billing.js)" });
  expect(BANK.filter(letterTest({ fingerprint: "000000000000" }, 0, MASK))).toEqual([]);
});

test("what a mask hides is neither in a cause's pattern nor told by its fingerprint", async () => {
  const mask = createMask({ patterns: [/tulip|rose/] });
  const said = (word: string): StoredDeadLetter =>
    letter({ error: { type: "Error", message: `no ${word} here` } });
  const groups = await groupLetters(each([said("tulip"), said("rose")]), mask);
  expect(groups).toMatchObject([{ count: 2, pattern: "no *** here" }]);
});
