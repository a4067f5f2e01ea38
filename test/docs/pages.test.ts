import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { readCommandLine } from "../../packages/millrace/src/cli/command-line.ts";
import { COMMANDS } from "../../packages/millrace/src/cli/command-list.ts";
import { anchors } from "./anchors.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PAGES = globSync(["*.md", "docs/**/*.md"], { cwd: ROOT });
/** Words that follow "npm" or "pnpm" in prose and in their own commands. */
const NOT_SCRIPTS = [
  "add",
  "ci",
  "install",
  "package",
  "packages",
  "exec",
  "publish",
  "init",
  "pkg",
  "create",
];
const PARTS = ["Tutorial", "Guides", "Reference", "Explanation"];
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const titleOf = (page: string): string => /^# (.+)$/m.exec(read(`docs/${page}`))?.[1] ?? "";
const outsideCode = (text: string): string => text.replace(/```[\s\S]*?```|`[^`\n]*`/g, "");

describe.each(PAGES)("%s", (page) => {
  test("every relative link leads to a file, and every anchor to a heading", () => {
    const broken = [...outsideCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link]) => link as string)
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [path = "", anchor] = link.split("#");
        const file = path === "" ? page : join(dirname(page), path);
        if (!existsSync(join(ROOT, file))) return true;
        return anchor !== undefined && !anchors(read(file)).includes(anchor);
      });
    expect(broken).toEqual([]);
  });

  test("every block of code that names a file is that file", () => {
    for (const [, file, block] of read(page).matchAll(
      /<!-- file: (\S+) -->\n+```\w+\n([\s\S]*?)```/g,
    ))
      expect(block, file).toBe(read(file as string));
  });

  test("every `millrace` command line is one that the command takes", () => {
    for (const line of commandLines(read(page)))
      expect(() => readCommandLine(line, COMMANDS), line.join(" ")).not.toThrow();
  });
});

test("the README names the files of hello, world and its command", () => {
  expect(read("README.md").match(/<!-- file: examples\/hello\/\S+ -->/g)).toHaveLength(2);
  expect(commandLines(read("README.md"))).toContainEqual(["dev", "hello.ts"]);
});

test("what a newcomer copies runs on Node 22, which has no `await using`", () => {
  for (const page of ["README.md", "docs/tutorial.md"])
    for (const [block] of read(page).matchAll(/<!-- file: \S+ -->\n+```ts\n[\s\S]*?```/g))
      expect(block).not.toContain("await using");
});

test("a page that shows `await using` says where it is known", () => {
  const showing = PAGES.filter((page) =>
    [...read(page).matchAll(/^```ts\n[\s\S]*?^```/gm)].some(([block]) =>
      block.includes("await using"),
    ),
  );
  expect(showing).toContain("docs/locks.md");
  for (const page of showing) expect(read(page), page).toContain("(workers.md#await-using)");
});

test("what the page of the architecture says to open is there", () => {
  const [, table = ""] = read("docs/architecture.md").split("## Where to look");
  const [rows = ""] = table.split("\n## ");
  const named = [...rows.matchAll(/`([a-z-]+\/src\/[^`]+)`/g)].map(([, path]) => path as string);
  expect(named.length).toBeGreaterThanOrEqual(15);
  expect(named.filter((path) => !existsSync(join(ROOT, "packages", path)))).toEqual([]);
});

test("every script that a page names exists", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const named = PAGES.flatMap((page) =>
    [...read(page).matchAll(/\b(?:pnpm run|npm run|npm|pnpm) ([a-z:]*[a-z])(?=[\s`:]|$)/gm)].map(
      ([, script]) => script as string,
    ),
  ).filter((script) => !NOT_SCRIPTS.includes(script));
  expect(named).toContain("start");
  for (const script of named) expect(Object.keys(scripts)).toContain(script);
});

test("every page of the dashboard is shown in both themes, in its guide and in the README", () => {
  const folder = "docs/dashboard/pages";
  const pictures = globSync(`${folder}/*.webp`, { cwd: ROOT });
  expect(pictures.length).toBeGreaterThan(40);
  for (const page of ["README.md", "docs/dashboard.md"]) {
    const text = read(page);
    expect(
      pictures.filter((picture) => !text.includes(`dashboard/pages/${basename(picture)}`)),
    ).toEqual([]);
  }
});

test("docs/README.md lists every page in one of its four parts, and every example", () => {
  const index = read("docs/README.md");
  const parts = index.split(/^## /m).slice(1);
  expect(parts.map((part) => part.split("\n", 1)[0])).toEqual([...PARTS, "Examples"]);
  for (const page of globSync("docs/*.md", { cwd: ROOT }).map((path) => basename(path)))
    if (page !== "README.md")
      expect(
        index.split(`| [${titleOf(page)}](${page})`),
        `${page}, once, by its title`,
      ).toHaveLength(2);
  for (const main of globSync("examples/*/", { cwd: ROOT }).map((path) => basename(path)))
    if (main !== "node_modules") expect(index).toContain(`](../examples/${main}/`);
});

/**
 * What follows `npx millrace` in code, as far as it is a whole command line: no placeholder, no
 * second command.
 */
function commandLines(text: string): readonly (readonly string[])[] {
  return [...text.matchAll(/npx millrace ([^`\n#]+)/g)].map(([, line]) =>
    [...(line as string).trim().matchAll(/'([^']*)'|(\S+)/g)].map(
      ([, quoted, plain]) => quoted ?? (plain as string),
    ),
  );
}
