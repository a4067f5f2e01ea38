import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("../../node_modules/typescript", import.meta.url));

/**
 * Every file of the installed `typescript` package: real input that every machine with this
 * checkout has. Paths are relative to the working directory, which the nodes share.
 */
export async function inputFiles(): Promise<{ root: string; files: readonly string[] }> {
  const root = relative(process.cwd(), PACKAGE);
  const entries = await readdir(PACKAGE, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(root, relative(PACKAGE, entry.parentPath), entry.name));
  return { root, files: files.sort() };
}
