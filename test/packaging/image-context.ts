import { cpSync, globSync, readFileSync } from "node:fs";
import { join, matchesGlob, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");

/**
 * Copies what `.dockerignore` lets through, which is all that the image is built from.
 *
 * @param linked whether links to dependencies come too, which the build stage installs instead
 */
export function copyContext(to: string, { linked }: { readonly linked: boolean }): void {
  const [all, ...rules] = readFileSync(join(ROOT, ".dockerignore"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  if (all !== "**") throw new Error(".dockerignore begins with what it lets through, not with **");
  const never = rules.filter((rule) => !rule.startsWith("!") && !(linked && rule === LINKS));
  const filter = (path: string): boolean => !never.some((rule) => matchesGlob(path, rule));
  for (const rule of rules.filter((one) => one.startsWith("!")))
    for (const path of globSync(rule.slice(1), { cwd: ROOT }))
      cpSync(join(ROOT, path), join(to, path), {
        recursive: true,
        verbatimSymlinks: true,
        filter,
      });
}

const LINKS = "**/node_modules";
