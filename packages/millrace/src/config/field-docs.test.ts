import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Field } from "./field.ts";
import { FIELD_KEYS, FIELDS } from "./fields.ts";

const FOLDER = import.meta.dirname;

/** What an editor says of a field: the docstring of its definition, as the options take it over. */
function docstring(field: Field): string {
  const about = field.about.replace(/\S*\{\w+\}/g, "`$&`");
  return field.default === undefined
    ? about
    : `${about} Default: \`${field.kind.show(field.default)}\`.`;
}

it("every field's docstring says what `--help` and the docs say, with its default", () => {
  const text = globSync("*-fields.ts", { cwd: FOLDER })
    .map((file) => readFileSync(join(FOLDER, file), "utf8"))
    .join("\n");
  const written = Object.fromEntries(
    [...text.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\s+(\w+): field\(/g)].map(
      ([, comment = "", key = ""]) => [key, comment.replace(/\s+(\* )?/g, " ").trim()],
    ),
  );
  const expected = Object.fromEntries(
    FIELD_KEYS.map((key) => [key, docstring(FIELDS[key] as Field)]),
  );
  expect(written).toEqual(expected);
});
