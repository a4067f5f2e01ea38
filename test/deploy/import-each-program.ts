// Imports and requires every package that is installed beside it, by each path that it exports, and
// prints what can't be had: [package, how, reason]. Copied to the folder that is looked at.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const failed: (readonly string[])[] = [];
for (const name of packages()) {
  const file = `node_modules/${name}/package.json`;
  if (!existsSync(file)) continue;
  const { exports } = JSON.parse(readFileSync(file, "utf8")) as { readonly exports?: unknown };
  for (const path of ["", ...paths(exports)]) {
    await attempt(name + path, "import", (target) => import(target));
    await attempt(name + path, "require", (target) => require(target));
  }
}
console.log(JSON.stringify(failed));
process.exit();

function packages(): readonly string[] {
  return readdirSync("node_modules")
    .filter((name) => !name.startsWith("."))
    .flatMap((name) =>
      name.startsWith("@")
        ? readdirSync(`node_modules/${name}`).map((inner) => `${name}/${inner}`)
        : name,
    );
}

/** Of its exports: `/testing`. Programs and what a thread runs do their work when imported. */
function paths(exports: unknown): readonly string[] {
  if (typeof exports !== "object" || exports === null) return [];
  return Object.keys(exports)
    .filter((path) => /^\.\/[^*]+$/.test(path) && !/json$|bin$|-worker$/.test(path))
    .map((path) => path.slice(1));
}

async function attempt(
  target: string,
  how: string,
  load: (target: string) => unknown,
): Promise<void> {
  try {
    await load(target);
  } catch (error) {
    failed.push([target, how, String(error).slice(0, 200)]);
  }
}
