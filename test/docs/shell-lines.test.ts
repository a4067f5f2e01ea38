import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { millraceLines, problemOf, problemOfName, shellLines } from "./shell-lines.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PAGES = globSync(["*.md", "docs/**/*.md", "packages/*/README.md"], { cwd: ROOT });
const read = (page: string): string => readFileSync(join(ROOT, page), "utf8");

test("each command that a reader types is there, and so are its flags", () => {
  const wrong = PAGES.flatMap((page) => {
    const written = [...read(page).matchAll(/<!-- file: (\S+) -->/g)].map(([, file = ""]) => file);
    return shellLines(read(page)).flatMap((line) => {
      const problem = problemOf(
        line,
        written.map((file) => file.split("/").at(-1) ?? file),
      );
      return problem === undefined ? [] : [`${page}: ${line}: ${problem}`];
    });
  });
  expect(PAGES.flatMap((page) => shellLines(read(page))).length).toBeGreaterThan(100);
  expect(wrong).toEqual([]);
});

test("each command of millrace that a sentence names is there, and so are its flags", () => {
  const lines = PAGES.flatMap((page) => millraceLines(read(page)).map((line) => ({ page, line })));
  const wrong = lines.flatMap(({ page, line }) => {
    const problem = problemOfName(line);
    return problem === undefined ? [] : [`${page}: ${line}: ${problem}`];
  });
  expect(lines.length).toBeGreaterThan(200);
  expect(wrong).toEqual([]);
});

test.each([
  ["npx millrace jobs gett order-7", /needs one of: jobs get/],
  ["npx millrace jobs get order-7 --colour", /Unknown option '--colour'/],
  ["npx millrase dev", /neither millrace nor pnpm@/],
  ["npx pnpm@1.0.0 check", /neither millrace nor pnpm@/],
  ["npm run no-such-script", /no script/],
  ["pnpm chaos --minuets 10", /scripts\/chaos\.mjs has no --minuets/],
  ["pnpm simulate --machine --seeds 5", /has no --machine$/],
  ["node bench/outbox.ts --rouns 1", /bench\/outbox\.ts has no --rouns/],
  ["node bench/outbocks.ts", /no file/],
  ["docker build -f deploy/Containerfil .", /no file/],
  ["natss pub x y", /nobody says what natss is/],
])("a line that is wrong is told: %s", (line, problem) => {
  expect(problemOf(line, [])).toMatch(problem);
});

test("a command that a sentence names wrongly is told", () => {
  expect(problemOfName("millrace dead list --id")).toMatch(/Unknown option '--id'/);
  expect(problemOfName("millrace dead look")).toMatch(/dead/);
  expect(problemOfName("millrace jobs get")).toBeUndefined();
  expect(problemOfName("millrace enqueue --id")).toBeUndefined();
});
