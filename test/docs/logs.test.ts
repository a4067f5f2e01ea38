// docs/logs.md lists every line that a node writes at info and above.
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const PAGE = read("docs/logs.md");
const LISTED = [...PAGE.matchAll(/^\| `([^`]+)` +\| (info|warn|error) /gm)].map(
  ([, line = "", level = ""]) => ({ line, level }),
);
/** What a command prints is no line of a node. */
const SOURCES = globSync("packages/*/src/**/*.ts", { cwd: ROOT }).filter(
  (file) => !/\.test|\.fixture|\/fixtures\/|\/cli\/|packages\/testkit|masked-logger/.test(file),
);

/** Calls whose line stands elsewhere in the same file, and how it is told there. */
const ELSEWHERE: Readonly<Record<string, RegExp>> = {
  "packages/runtime/src/lock/lock-duties.ts": /^ {2}(?:acquire|renew|release): ("[^"]+")/gm,
  "packages/telemetry/src/records/record-lane.ts": /#complain\(error, ("[^"]+")\)/g,
  "packages/outbox/src/relay/paged-sweep.ts": /unknown: ("[^"]+")/g,
};
/** It hands on what others say. */
const PASSES_ON = "packages/runtime/src/limits/blocked-sweeper.ts";

interface Said {
  readonly file: string;
  readonly level: string;
  /** Up to what is put into it. */
  readonly line: string;
}

/** What is between the parenthesis that ends at `from` and its partner. */
function call(text: string, from: number): string {
  let depth = 1;
  let at = from;
  for (; depth > 0; at += 1) depth += text[at] === "(" ? 1 : text[at] === ")" ? -1 : 0;
  return text.slice(from, at - 1);
}

const literals = (text: string): readonly string[] =>
  [...text.matchAll(/"((?:[^"\\]|\\.)+)"|`([^`]+)`/g)]
    .map(([, plain, template]) => plain ?? template ?? "")
    .filter((one) => one.includes(" "));

function saidIn(file: string): readonly Said[] {
  const text = read(file);
  return [...text.matchAll(/\b(?:log|logger)\??\.(info|warn|error)\(/g)].flatMap((match) => {
    const level = match[1] ?? "";
    const given = call(text, match.index + match[0].length);
    // Two are two lines, of a choice; where they are joined, the first is how the line begins.
    const lines = literals(given).slice(0, /["`]\s*\+\s*["`]/.test(given) ? 1 : 2);
    if (lines.length > 0) return lines.map((line) => ({ file, level, line }));
    if (file === PASSES_ON) return [];
    const told = ELSEWHERE[file];
    if (told === undefined) throw new Error(`${file}: what it logs is not found.`);
    const pages = file.endsWith("paged-sweep.ts")
      ? globSync("packages/outbox/src/relay/*-sweep.ts", { cwd: ROOT })
      : [file];
    return pages
      .flatMap((page) => [...read(page).matchAll(told)])
      .map(([, line = ""]) => ({ file, level, line: line.slice(1, -1) }));
  });
}

const SAID = SOURCES.flatMap(saidIn);

/** A listed line may leave out its end or its beginning: `…` stands for it. */
function isListed({ level, line }: Said): boolean {
  const [before = "", ...rest] = line.split(/\$\{[^}]*\}/);
  const after = rest.at(-1) ?? "";
  return LISTED.some((one) => {
    if (one.level !== level) return false;
    const [start = "", end] = one.line.split("…");
    if (end === undefined) return one.line === line;
    return before.startsWith(start) && (rest.length === 0 || after.endsWith(end));
  });
}

test("every line of a node from info up is listed with its level", () => {
  expect(SAID.length).toBeGreaterThan(70);
  expect(SAID.filter((one) => !isListed(one))).toEqual([]);
});

test("no line is listed that nobody writes, and none twice", () => {
  const lines = LISTED.map(({ line }) => line);
  expect(lines.filter((line, at) => lines.indexOf(line) !== at)).toEqual([]);
  const unsaid = LISTED.filter((one) => {
    const start = one.line.split("…")[0] ?? "";
    const end = one.line.split("…")[1] ?? "";
    return !SAID.some(
      ({ level, line }) =>
        level === one.level &&
        (one.line.includes("…")
          ? line.startsWith(start) && (line.endsWith(end) || !line.includes("${"))
          : line === one.line),
    );
  });
  expect(unsaid).toEqual([]);
});
