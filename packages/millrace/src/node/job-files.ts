import { statSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";

export interface JobFile {
  readonly path: string;
  /** A file of a folder may be one that the jobs import, so it may export none itself. */
  readonly found: "named" | "in-folder";
}

const MODULE = /^[^.].*\.(?:ts|mts|js|mjs)$/;
const NO_JOBS = /\.(?:test|spec)\.[a-z]+$|\.d\.m?ts$/;

/**
 * The files meant by a list of files and folders. A folder stands for the modules right in it, by
 * name, without tests and declarations.
 */
export function jobFilesOf(files: readonly string[], directory: string): readonly JobFile[] {
  return files.flatMap((path): JobFile[] => {
    if (statSync(resolve(directory, path), { throwIfNoEntry: false })?.isDirectory() !== true)
      return [{ path, found: "named" }];
    return readdirSync(resolve(directory, path))
      .filter((name) => MODULE.test(name) && !NO_JOBS.test(name))
      .toSorted()
      .map((name) => ({ path: join(path, name), found: "in-folder" }));
  });
}
