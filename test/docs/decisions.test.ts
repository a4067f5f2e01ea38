import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { anchors } from "./anchors.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const FOLDER = "docs/decisions";
const PAGES = globSync(`${FOLDER}/*.md`, { cwd: ROOT });
/** Everything that people write. What a changelog said of an earlier version stays as it was. */
const WRITTEN = globSync(
  [
    "*.md",
    "{bench,deploy,docs,examples,packages,scripts,test}/**/*.{ts,mjs,md,json,yaml,conf,tpl}",
  ],
  { cwd: ROOT, exclude: (path) => ["node_modules", "dist"].includes(basename(path)) },
).filter((file) => basename(file) !== "CHANGELOG.md");
/** So many pages can be found one's way in, and so wide is a line of prose. */
const MOST_PAGES = 15;
const WIDTH = 100;

const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const titleOf = (page: string): string | undefined => /^# (.+)$/m.exec(read(page))?.[1];

describe.each(PAGES)("%s", (page) => {
  test("no line of prose is wider than 100 columns", () => {
    const wide = proseOf(read(page)).filter((line) => line.length > WIDTH);
    expect(wide).toEqual([]);
  });

  test("every heading says something else", () => {
    const found = anchors(read(page));
    expect(found).toEqual([...new Set(found)]);
  });

  test("every file of the repository that it names is there", () => {
    const named = [
      ...read(page).matchAll(/`((?:bench|deploy|docs|examples|packages|scripts|test)\/[\w./-]+)`/g),
    ].map(([, path]) => path as string);
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

test("the pages are few, by subject, and the README lists each under its own title", () => {
  const subjects = PAGES.filter((page) => basename(page) !== "README.md");
  expect(subjects.length).toBeGreaterThan(5);
  expect(subjects.length).toBeLessThanOrEqual(MOST_PAGES);
  for (const page of subjects) expect(basename(page)).toMatch(/^[a-z-]+\.md$/);
  const listed = read(`${FOLDER}/README.md`).matchAll(/^\| \[(.+?)\]\((.+?)\) +\| (.+?) +\|$/gm);
  expect([...listed].map(([, title, file]) => `${file}: ${title}`).sort()).toEqual(
    subjects.map((page) => `${basename(page)}: ${titleOf(page)}`).sort(),
  );
});

test("nothing refers to a decision by a number", () => {
  expect(WRITTEN.length).toBeGreaterThan(500);
  expect(WRITTEN.flatMap((file) => numbersIn(file, read(file)))).toEqual([]);
});

test("every reference from outside leads to a page, and to a heading of it", () => {
  const broken = WRITTEN.flatMap((file) => brokenIn(file, read(file)));
  expect(broken).toEqual([]);
});

describe("the checks find", () => {
  test("a number", () => {
    const number = 12;
    for (const text of [
      `see decision ${number}`,
      `Decisions [${number}](x.md)`,
      `${FOLDER}/00${number}`,
    ])
      expect(numbersIn("a.ts", text)).toHaveLength(1);
    expect(numbersIn("a.ts", "the last 20 decisions were 5")).toEqual([]);
  });

  test("a page or a heading that is not there", () => {
    const [page, heading] = [`${FOLDER}/speed.md`, anchors(read(`${FOLDER}/speed.md`))[1]];
    expect(brokenIn("a.ts", `${page}, (${page}#${heading}). See ${page}.`)).toEqual([]);
    expect(brokenIn("a.ts", `${page}#nowhere-at-all ${FOLDER}/nothing.md`)).toHaveLength(2);
    expect(brokenIn("a.ts", `as ${FOLDER}/speed says`)).toHaveLength(1);
  });

  test("a wide line, but not a table's or a block of code's", () => {
    const wide = "word ".repeat(21);
    expect(proseOf(`${wide}\n| ${wide} |\n\`\`\`sh\n${wide}\n\`\`\`\n${wide}`)).toEqual([
      wide,
      wide,
    ]);
  });
});

function numbersIn(file: string, text: string): readonly string[] {
  return [...text.matchAll(/\bdecisions? \[?\d+|decisions\/\d+/gi)].map(
    ([found]) => `${file}: ${found}`,
  );
}

/**
 * Of links in pages relative ones are checked with all others; this is for what is written from the
 * root.
 */
function brokenIn(file: string, text: string): readonly string[] {
  return [...text.matchAll(/docs\/decisions\/([\w-]+(?:\.md)?)(?:#([\w-]+))?/g)]
    .filter(([, name, anchor]) => {
      const page = `${FOLDER}/${name}`;
      if (!PAGES.includes(page)) return true;
      return anchor !== undefined && !anchors(read(page)).includes(anchor);
    })
    .map(([found]) => `${file}: ${found}`);
}

function proseOf(text: string): readonly string[] {
  return text
    .replace(/^```[\s\S]*?^```$/gm, "")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("|"));
}
