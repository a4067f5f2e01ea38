import { readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * The version of the application in whose directory the command was started, as its `package.json`
 * says; undefined where there is none.
 */
export async function serviceVersion(cwd: string): Promise<string | undefined> {
  try {
    const described: unknown = JSON.parse(await readFile(join(cwd, "package.json"), "utf8"));
    const version = (described as { readonly version?: unknown } | null)?.version;
    return typeof version === "string" && version !== "" ? version : undefined;
  } catch {
    // What it says is a help for whoever reads traces, and nothing else depends on it.
    return undefined;
  }
}
