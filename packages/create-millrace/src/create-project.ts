import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { basename, join, resolve } from "node:path";
import { projectFiles } from "./project-files.ts";

/** Of the tutorial; the build puts them beside the compiled package. */
const CODE = [
  ...["jobs.ts", "send-welcome.ts", "worker.ts", "enqueue.ts", "welcome-test.ts"],
  ...["Containerfile", "compose.yaml"],
];
const PLACES = ["./template/", "../../../examples/tutorial/"];

/**
 * Writes a project into a new or empty folder, and installs nothing.
 *
 * @returns the names of the files, sorted
 * @throws Error where the folder holds something, or its name can't be a package's
 * @example
 * createProject("my-jobs");
 */
export function createProject(folder: string): readonly string[] {
  const path = resolve(folder);
  const name = basename(path);
  if (!/^[a-z0-9][a-z0-9._-]{0,200}$/.test(name))
    throw new Error(
      `"${name}" can't be the name of a package. Use small letters, digits, "-", "_" and ".".`,
    );
  mkdirSync(path, { recursive: true });
  if (readdirSync(path).length > 0)
    throw new Error(`${path} is not empty. Name a new folder: npm create millrace my-jobs`);
  const files = projectFiles(name, ownVersion());
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  for (const file of CODE) copyFileSync(new URL(file, templateFolder()), join(path, file));
  return [...Object.keys(files), ...CODE].toSorted();
}

function templateFolder(): URL {
  const found = PLACES.map((place) => new URL(place, import.meta.url)).find((url) =>
    existsSync(new URL("jobs.ts", url)),
  );
  if (found === undefined)
    throw new Error("The template is missing: install create-millrace anew.");
  return found;
}

/** All packages have one version, so this is the one of `millrace` too. */
function ownVersion(): string {
  const manifest = JSON.parse(
    readFileSync(new URL("../package.json", import.meta.url), "utf8"),
  ) as { readonly version: string };
  return manifest.version;
}
