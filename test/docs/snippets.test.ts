import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runCommand } from "../packaging/run-command.ts";
import { FILES, givenOn } from "./given.ts";
import {
  fencesOf,
  filesOf,
  moduleOf,
  PAGES,
  pageSnippets,
  type Snippet,
  snippetsOf,
} from "./snippets.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const SNIPPETS = pageSnippets();
const CODE = SNIPPETS.filter(({ language }) => language === "ts" || language === "js");

test("every snippet of a page and of a package's README has types that hold", async () => {
  expect(CODE.length).toBeGreaterThan(50);
  expect(await faultsOf(CODE)).toEqual([]);
}, 300_000);

test("a block that stands on a page twice has a line of its own each time", () => {
  const block = "```ts\nawait done;\n```\n";
  const page = `# Page\n\n${block}\nText.\n\n<!-- file: a.ts -->\n\n${block}\n${block}`;
  expect(snippetsOf("page.md", page).map(({ line }) => line)).toEqual([4, 16]);
});

test("a snippet that is wrong is told by its page and line", async () => {
  const wrong: readonly (readonly [text: string, said: string])[] = [
    ['await millrace.canncel("order-7");', "'canncel' does not exist"],
    ['await millrace.enqueue(report, { mont: "2030-01" });', "'mont' does not exist"],
    ["await nobodySaysWhatThisIs();", "Cannot find name 'nobodySaysWhatThisIs'"],
    ['import { conect } from "millrace";', "no exported member named 'conect'"],
    ["defineJob({ name: 7 });", "'number' is not assignable to type 'string'"],
  ];
  const snippets = wrong.map(([text], at) => ({
    ...{ page: "docs/cancel.md", language: "ts", line: 100 * (at + 1) },
    text: `\n${text}\n`,
  }));
  const faults = await faultsOf(snippets);
  expect(faults).toHaveLength(wrong.length);
  for (const [at, [, said]] of wrong.entries()) {
    const fault = faults.find((one) => one.startsWith(`docs/cancel.md:${100 * (at + 1) + 1} TS`));
    expect(fault, faults.join("\n")).toContain(said);
  }
}, 300_000);

test("no snippet is in a language that nothing checks, and none is without a language", () => {
  const fences = PAGES.flatMap((page) =>
    fencesOf(readFileSync(join(ROOT, page), "utf8")).map((fence) => ({ page, ...fence })),
  );
  const known = [...Object.keys(CHECKED), ...OF_FILES];
  expect(fences.length).toBeGreaterThan(SNIPPETS.length);
  expect(
    fences.filter(({ language, isIndented }) => isIndented || !known.includes(language)),
  ).toEqual([]);
  const languages = [...new Set(SNIPPETS.map(({ language }) => language))];
  expect(languages.toSorted()).toEqual(Object.keys(CHECKED).toSorted());
  for (const file of Object.values(CHECKED))
    expect(existsSync(join(import.meta.dirname, file)), file).toBe(true);
});

test.each([
  ["```", ""],
  ["```cobol", "cobol"],
  ["  ```ts", "ts"],
  ["~~~ts", "ts"],
])("a fence that begins with %s is seen", (fence, language) => {
  const text = `Text.\n\n${fence}\ncode\n${fence.replace(/\w/g, "")}\n`;
  expect(fencesOf(text).map((one) => one.language)).toEqual([language]);
});

/** What the compiler says, each beginning with the page and the line of its snippet. */
async function faultsOf(snippets: readonly Snippet[]): Promise<readonly string[]> {
  const dir = mkdtempSync(join(tmpdir(), "millrace-snippets-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  symlinkSync(join(ROOT, "test/node_modules"), join(dir, "node_modules"));
  const write = (name: string, text: string): void => {
    mkdirSync(join(dir, name, ".."), { recursive: true });
    writeFileSync(join(dir, name), text);
  };
  const places = new Map<string, Snippet>();
  for (const [at, snippet] of snippets.entries())
    for (const [part, code] of filesOf(snippet).entries()) {
      const name = `snippet-${at}-${part}.ts`;
      places.set(name, snippet);
      write(name, moduleOf(code, givenOn(snippet.page)));
    }
  for (const [name, text] of Object.entries(FILES)) write(name, text);
  write("package.json", '{ "type": "module" }');
  write("tsconfig.json", JSON.stringify(COMPILER));
  const tsc = [join(ROOT, "node_modules/.bin/tsc"), "-p", "."];
  const { code, output } = await runCommand(tsc, dir);
  const faults = output.split("\n").filter((line) => line.includes(": error TS"));
  expect(code === 0, output).toBe(faults.length === 0);
  return faults.map((fault) =>
    fault.replace(/^(\S+\.ts)\((\d+),\d+\): error /, (said, file: string, row: string) => {
      const snippet = places.get(file);
      return snippet === undefined ? said : `${snippet.page}:${snippet.line + Number(row) - 2} `;
    }),
  );
}

/** The test that checks the snippets of each language. */
const CHECKED: Readonly<Record<string, string>> = {
  dockerfile: "container-snippets.test.ts",
  js: "snippets.test.ts",
  json: "data-snippets.test.ts",
  mermaid: "data-snippets.test.ts",
  nats: "server-snippets.test.ts",
  sh: "shell-lines.test.ts",
  sql: "sql-snippets.test.ts",
  // Output and drawings. A line that begins with a program is checked as one of `sh`.
  text: "shell-lines.test.ts",
  ts: "snippets.test.ts",
  yaml: "data-snippets.test.ts",
};
/** Only of blocks that are files of the repository, which the tests of the wire protocol run. */
const OF_FILES = ["go", "java", "python", "rs"];

const COMPILER = {
  extends: join(ROOT, "tsconfig.base.json"),
  compilerOptions: {
    noEmit: true,
    noUnusedLocals: false,
    noUnusedParameters: false,
    typeRoots: [join(ROOT, "node_modules/@types")],
    paths: { "@acme/jobs": ["./invoice.ts"] },
  },
  // What its harness adds to the types of vitest.
  include: ["*.ts", join(ROOT, "test/harness/obtain-servers.ts")],
};
