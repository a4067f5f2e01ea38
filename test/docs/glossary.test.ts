import { globSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const GLOSSARY = "docs/glossary.md";
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
/** What a user reads. A changelog speaks of what was. */
const PAGES = globSync(["*.md", "docs/**/*.md"], { cwd: ROOT }).filter(
  (page) => page !== GLOSSARY && basename(page) !== "CHANGELOG.md",
);
/** Everything that people write. The glossary and this test name the words that they rule out. */
const WRITTEN = globSync(
  [
    "*.md",
    "{bench,deploy,docs,examples,packages,scripts,test}/**/*.{ts,mjs,md,json,yaml,conf,tpl}",
  ],
  { cwd: ROOT, exclude: (path) => ["node_modules", "dist"].includes(basename(path)) },
).filter((file) => !["CHANGELOG.md", "glossary.md", "glossary.test.ts"].includes(basename(file)));

interface Entry {
  readonly term: string;
  readonly meaning: string;
  readonly not: readonly string[];
}

const ENTRIES: readonly Entry[] = read(GLOSSARY)
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .slice(2)
  .map((line) => {
    const [, term = "", meaning = "", not = ""] = line.split("|").map((cell) => cell.trim());
    return { term, meaning, not: not === "" ? [] : not.split(", ") };
  });

test("its terms are in the order of the alphabet, each once and with a meaning", () => {
  const terms = ENTRIES.map(({ term }) => term);
  expect(terms.length).toBeGreaterThan(40);
  expect(terms).toEqual([...new Set(terms)].toSorted((a, b) => a.localeCompare(b, "en")));
  expect(ENTRIES.filter(({ meaning }) => meaning === "")).toEqual([]);
});

test("the README leads to it", () => {
  expect(read("README.md")).toContain(`](${GLOSSARY})`);
});

test.each(ENTRIES)("$term is a word of the other pages", ({ term }) => {
  expect(PAGES.some((page) => says(read(page), term))).toBe(true);
});

test("no word that it rules out is written anywhere", () => {
  expect(WRITTEN.length).toBeGreaterThan(500);
  const ruledOut = ENTRIES.flatMap(({ not }) => not);
  expect(ruledOut).toContain("held job");
  const found = WRITTEN.flatMap((file) => {
    const text = read(file);
    return ruledOut.filter((words) => says(text, words)).map((words) => `${file}: ${words}`);
  });
  expect(found).toEqual([]);
});

test("a word is found in its plural, over the end of a line and in a comment", () => {
  for (const text of [
    "two Held  jobs",
    "a held\njob",
    "/**\n * a held\n * job */",
    "// held\n// job",
  ])
    expect(says(text, "held job"), text).toBe(true);
  for (const text of ["what a job held", "withheld job", "held jobless"])
    expect(says(text, "held job"), text).toBe(false);
});

/** Whether a text has these words, one after the other. */
function says(text: string, words: string): boolean {
  const between = String.raw`\s+(?:(?:\*|//|#|>)\s+)?`;
  const pattern = words.split(" ").map(escaped).join(between);
  return new RegExp(String.raw`(?<![\w-])${pattern}s?(?![\w-])`, "i").test(text);
}

function escaped(word: string): string {
  return word.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
