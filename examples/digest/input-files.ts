import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Every file of the installed `typescript` package: real input that every machine with this checkout has. */
export async function inputFiles(): Promise<{ root: string; files: readonly string[] }> {
  const root = dirname(fileURLToPath(import.meta.resolve("typescript/package.json")));
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return { root, files: files.sort() };
}
