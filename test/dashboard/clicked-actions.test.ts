// Each button of the page is pressed by a test in the real browser: one that is not is listed here.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const PAGE = join(import.meta.dirname, "../../packages/dashboard/page");
const HOLE = /\$\{(?:[^{}]|\{[^{}]*\})*\}/g;

const read = (folder: string, pattern: string): readonly string[] =>
  globSync(pattern, { cwd: folder }).map((file) => readFileSync(join(folder, file), "utf8"));
const sources = read(PAGE, "**/*.tsx").filter((text) => !text.includes("vitest"));
const tests = read(import.meta.dirname, "{browser,film}*.test.ts").join("\n");
/** Names that a test asks the browser for: texts, and expressions as their source. */
const asked = [
  ...tests.matchAll(/(?:name:|undo:|question(?::| =))\s*(?:"([^"]+)"|`([^`]+)`|\/\^?(.+?)\$?\/)/g),
].map(
  ([, text, template, pattern = ""]) =>
    text ?? template?.replaceAll(HOLE, "7") ?? pattern.replaceAll("\\/", "/"),
);

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** What a question says, whatever stands in its holes. */
function isAsked(question: string): boolean {
  const [start = ""] = question.split("${");
  const parts = question
    .replaceAll(HOLE, "\0")
    .split("\0")
    .map((part) => escaped(part));
  const whole = new RegExp(`^${parts.join(".+")}$`);
  return asked.some((name) => whole.test(name) || (start.length > 5 && name.startsWith(start)));
}

/** Of each action its question, which no other one has. */
const QUESTION = /question(?:=|: )(?:\(\w+\) => |\{)?(?:"([^"]+)"|`([^`]+)`)/g;
const questions = sources.flatMap((text) =>
  [...text.matchAll(QUESTION)].map(([, text, template]) => text ?? template ?? ""),
);

/** Of each button that asks nothing its words, or what it is called where it has a sign. */
const buttons = sources.flatMap((text) =>
  [...text.matchAll(/<button\b([^]*?[^=])>\s*([^<{]*)/g)]
    .map(([, attributes = "", words = ""]) => {
      const [, label = words.trim()] = /aria-label="([^"]+)"/.exec(attributes) ?? [];
      return label;
    })
    .filter((label) => label !== ""),
);

test("each question that an action asks is answered in a browser", () => {
  expect(questions.length).toBeGreaterThan(20);
  expect(questions.filter((question) => !isAsked(question))).toEqual([]);
});

test("each button that asks nothing is pressed in a browser", () => {
  expect(buttons.length).toBeGreaterThan(5);
  expect(buttons.filter((label) => !asked.includes(label))).toEqual([]);
});

test("a question that nobody answers is seen", () => {
  expect(isAsked("Sell the queue ${queue}?")).toBe(false);
  expect(isAsked("Retry everything?")).toBe(false);
});
