import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";

/** Above the compiled package's one folder, else above this file's. */
const PLACES = ["../package.json", "../../package.json"];

/** The version of this package. */
export async function ownVersion(): Promise<string> {
  const file = PLACES.map((place) => new URL(place, import.meta.url)).find((url) =>
    existsSync(url),
  );
  if (file === undefined) return "unknown";
  const manifest = JSON.parse(await readFile(file, "utf8")) as { readonly version: string };
  return manifest.version;
}
