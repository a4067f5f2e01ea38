import { globSync } from "node:fs";
import { resolve, sep } from "node:path";
import { LONG } from "./part.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/**
 * Folders whose files share processes: they take milliseconds, or a second or two beside a server
 * that is a process of its own. What a file leaves changed fails it (left-behind.ts).
 */
const FOLDERS = [
  "packages/*/{src,page}",
  "test/{bad-input,dashboard,docs,errors,hostile,house,permissions,simulation}",
];
/** What of them has a process of its own nevertheless, beside the long files: and why. */
const ALONE: Readonly<Record<string, string>> = {
  "test/bad-input/crowded-headers": "what an SDK registers for logs stays",
};

/** The test files that share processes, from the root. All others have one each. */
export function filesTogether(): readonly string[] {
  const alone = [...Object.keys(LONG), ...Object.keys(ALONE)];
  return globSync(
    FOLDERS.map((folder) => `${folder}/**/*.test.ts`),
    { cwd: ROOT },
  )
    .map((path) => path.split(sep).join("/"))
    .filter((path) => !alone.some((start) => path.startsWith(start)));
}
