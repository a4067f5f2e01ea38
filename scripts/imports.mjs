// The imports and exports of a package's product files, by relative paths and of other packages.
import { readdirSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";

const NO_PRODUCT = /\.(?:test|test-d|stress\.test|fixture)\.tsx?$|(?:^|\/)fixtures\//;
const IMPORT =
  /\b(?:import|export)\s+(type\s+)?(\{[^}]*\}|[\w*\s]+?)?\s*(?:from\s*)?["'](\.[^"']+)["']/g;

const SIBLING =
  /\b(?:from|import)\s*\(?\s*["'](?:@millrace\/([^"'/]+)|(millrace))(?:\/[^"']*)?["']/g;

/** The packages of this repository that a package's product files import, by folder name. */
export function* packageImports(sourceDir, sourceOf) {
  for (const file of productFiles(sourceDir))
    for (const [, scoped, bare] of sourceOf(file).matchAll(SIBLING)) yield scoped ?? bare;
}

/**
 * @param sourceOf a file's text without its comments
 * @returns for each import the two files, and whether nothing of it is left in compiled code
 */
export function* imports(sourceDir, sourceOf) {
  for (const file of productFiles(sourceDir)) {
    const from = relative(sourceDir, file).split(sep).join("/");
    for (const [, type, names = "", specifier] of sourceOf(file).matchAll(IMPORT)) {
      const target = resolve(dirname(file), specifier);
      const to = relative(sourceDir, target).split(sep).join("/");
      yield { from, to, isTypes: type !== undefined || onlyTypes(names) };
    }
  }
}

function* productFiles(sourceDir) {
  for (const entry of readdirSync(sourceDir, { recursive: true }).toSorted()) {
    const path = entry.split(sep).join("/");
    if (/\.tsx?$/.test(path) && !NO_PRODUCT.test(path)) yield join(sourceDir, entry);
  }
}

/**
 * Blanks comments (a docstring's example imports nothing); strings stay, since the imports are
 * strings.
 */
export function withoutComments(source) {
  return source.replace(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (_all, text) => text ?? "",
  );
}

function onlyTypes(names) {
  if (!names.startsWith("{")) return false;
  const each = names
    .slice(1, -1)
    .split(",")
    .map((name) => name.trim());
  return each.every((name) => name === "" || name.startsWith("type "));
}
