// Folders of a package that hold more files than anybody reads a list of. Tests and fixtures lie
// beside what they test and don't count.
import { readdirSync } from "node:fs";
import { join } from "node:path";

const MOST_FILES = 24;
const COUNTS = /(?<!\.(?:test|test-d|fixture))\.tsx?$/;

/** One line for each folder under `sourceDir` with too many files. */
export function largeFolders(sourceDir) {
  const folders = readdirSync(sourceDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name));
  return [sourceDir, ...folders].flatMap((folder) => {
    const { length } = readdirSync(folder, { withFileTypes: true }).filter(
      (entry) => entry.isFile() && COUNTS.test(entry.name),
    );
    return length <= MOST_FILES
      ? []
      : [
          `${folder.slice(sourceDir.length + 1) || "."} holds ${length} files: ${MOST_FILES} at most, by duty`,
        ];
  });
}
