// The imports and exports of a package's product files by relative paths.
import { readdirSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";

const NO_PRODUCT = /\.(?:test|test-d|stress\.test|fixture)\.tsx?$|(?:^|\/)fixtures\//;
const IMPORT =
  /\b(?:import|export)\s+(type\s+)?(\{[^}]*\}|[\w*\s]+?)?\s*(?:from\s*)?["'](\.[^"']+)["']/g;

/**
 * @param sourceOf a file's text without its comments
 * @returns for each import the two files, and whether nothing of it is left in compiled code
 */
export function* imports(sourceDir, sourceOf) {
  for (const entry of readdirSync(sourceDir, { recursive: true })) {
    const from = entry.split(sep).join("/");
    if (!/\.tsx?$/.test(from) || NO_PRODUCT.test(from)) continue;
    const file = join(sourceDir, entry);
    for (const [, type, names = "", specifier] of sourceOf(file).matchAll(IMPORT)) {
      const target = resolve(dirname(file), specifier);
      const to = relative(sourceDir, target).split(sep).join("/");
      yield { from, to, isTypes: type !== undefined || onlyTypes(names) };
    }
  }
}

function onlyTypes(names) {
  if (!names.startsWith("{")) return false;
  const each = names
    .slice(1, -1)
    .split(",")
    .map((name) => name.trim());
  return each.every((name) => name === "" || name.startsWith("type "));
}
