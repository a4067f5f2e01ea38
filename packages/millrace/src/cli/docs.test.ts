import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { configurationTable } from "../config/render-table.ts";
import { COMMANDS } from "./command-list.ts";

const DOCS = new URL("../../../../docs/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, DOCS), "utf8");
const cellsOf = (text: string): string => text.replace(/ *\| */g, "|").replace(/-{3,}/g, "---");

test("docs/configuration.md holds the table of the fields", () => {
  const between =
    /<!-- fields -->\n+([\s\S]*?)\n+<!-- \/fields -->/.exec(read("configuration.md"))?.[1] ?? "";
  expect(cellsOf(between)).toBe(cellsOf(configurationTable()));
});

test("every command that a page names in code is there", () => {
  const names = COMMANDS.map(({ name }) => name);
  const groups = new Set(names.flatMap((name) => (name.includes(" ") ? name.split(" ", 1) : [])));
  const pages = readdirSync(DOCS).filter((page) => page.endsWith(".md"));
  const wrong = pages.flatMap((page) =>
    [...read(page).matchAll(/\bmillrace ([a-z]+) ([a-z]+)\b/g)].flatMap(
      ([said, group = "", word = ""]) =>
        !groups.has(group) || names.includes(`${group} ${word}`) ? [] : [`${page}: ${said}`],
    ),
  );
  expect(wrong).toEqual([]);
});

test("docs/cli.md describes every command with its usage, and every flag of its own", () => {
  const sections = read("cli.md").split(/^### /m);
  for (const { name, usage, flags } of COMMANDS) {
    const section = sections.find((text) =>
      text.startsWith(`\`millrace ${name}${usage === "" ? "" : ` ${usage}`}\``),
    );
    expect(section, `docs/cli.md has no section for millrace ${name} ${usage}`).toBeDefined();
    for (const flag of Object.keys(flags)) expect(section).toContain(`--${flag}`);
  }
});
