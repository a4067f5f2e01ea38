// Comments are read in columns, too: none is wider than code is.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const WIDTH = 100;
const FOLDERS =
  "{packages/*/src,packages/*/page,test,bench,scripts,examples,deploy}/**/*.{ts,tsx,mts,mjs}";
/** What can't be broken: an address, a command in backticks. */
const UNBROKEN = /`[^`]{50,}`|\S{50,}/;

const wide = globSync(FOLDERS, { cwd: root }).flatMap((file) => {
  if (/(^|\/)(node_modules|dist)\//.test(file)) return [];
  return readFileSync(join(root, file), "utf8")
    .split("\n")
    .flatMap((line, index) =>
      line.length > WIDTH && /^\s*(\*|\/\/|\/\*\*)/.test(line) && !UNBROKEN.test(line)
        ? [`${file}:${index + 1}`]
        : [],
    );
});
if (wide.length > 0) {
  console.error(`Comments wider than ${WIDTH} columns:\n${wide.join("\n")}`);
  process.exit(1);
}
console.log(`No comment is wider than ${WIDTH} columns.`);
