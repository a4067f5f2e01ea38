// Sentences and cells that a person reads once. Lists of names may be long: the bounds are wide.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { PAGES } from "./snippets.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const MOST_WORDS = 50;
const MOST_WORDS_OF_A_CELL = 70;
/** Written once for each release, and not read as a page is. */
const NOT_A_PAGE = ["CHANGELOG.md"];

const words = (text: string): number => text.split(/\s+/).filter((word) => word !== "").length;

/** Without code, and with what a link is called instead of where it leads. */
function prose(text: string): string {
  return text
    .replace(/```[\s\S]*?```|<!--[\s\S]*?-->/g, "")
    .replace(/`[^`]*`/g, "X")
    .replace(/\]\([^)]*\)/g, "]");
}

/** Sentences and cells with more words than a reader keeps in mind. */
function longOnes(text: string): readonly string[] {
  return prose(text)
    .split(/\n\s*\n/)
    .flatMap((block) => {
      const lines = block.trim().split("\n");
      if (lines[0]?.startsWith("|") === true)
        return lines
          .flatMap((line) => line.split(" | "))
          .filter((cell) => words(cell) > MOST_WORDS_OF_A_CELL);
      return block
        .split(/^\s*(?:[-*]|\d+\.) /m)
        .flatMap((item) => item.split(/(?<=[.!?:;])\**\s+/))
        .filter((sentence) => words(sentence) > MOST_WORDS);
    });
}

test("no page has a sentence or a cell that has to be read twice", () => {
  const pages = PAGES.filter((page) => !NOT_A_PAGE.includes(page));
  const found = pages.flatMap((page) =>
    longOnes(readFileSync(join(ROOT, page), "utf8")).map((one) => `${page}: ${one}`),
  );
  expect(pages.length).toBeGreaterThan(60);
  expect(found).toEqual([]);
});

test("a sentence and a cell that are too long are found", () => {
  const long = "word ".repeat(51);
  expect(longOnes(`Short. ${long}\n\n- ${long}\n`)).toHaveLength(2);
  expect(longOnes(`| a | b |\n| - | - |\n| ${"word ".repeat(71)} | x |\n`)).toHaveLength(1);
  expect(longOnes(`\`\`\`text\n${long}\n\`\`\`\n\nShort ${"`a b c`".repeat(20)}.`)).toEqual([]);
});
