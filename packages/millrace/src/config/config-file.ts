import { access, readFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { MillraceError } from "@millrace/core";

export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Looked for in the working directory, in this order. */
export const CONFIG_FILE_NAMES = [
  "millrace.config.ts",
  "millrace.config.js",
  "millrace.config.mjs",
  "millrace.config.json",
] as const;

/**
 * The configuration file: the one named, or the first that is there.
 *
 * @returns undefined where none was named and none is there
 * @throws MillraceError `invalid-option`
 */
export async function loadConfigFile(
  named: string | undefined,
  directory: string,
): Promise<ConfigFile | undefined> {
  if (named !== undefined) return load(named, directory);
  for (const name of CONFIG_FILE_NAMES) {
    const there = await access(resolve(directory, name)).then(
      () => true,
      () => false,
    );
    if (there) return load(name, directory);
  }
  return undefined;
}

async function load(path: string, directory: string): Promise<ConfigFile> {
  const absolute = resolve(directory, path);
  const values =
    extname(path) === ".json"
      ? await readJson(absolute, path)
      : await importDefault(absolute, path);
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    throw new MillraceError(
      "invalid-option",
      `The configuration file ${path} must hold an object${extname(path) === ".json" ? "" : " as its default export"}.`,
    );
  }
  return { path, values: values as Readonly<Record<string, unknown>> };
}

/** The parser's own message quotes the text, which may hold a secret. */
async function readJson(absolute: string, path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(absolute, "utf8");
  } catch (cause) {
    throw new MillraceError(
      "invalid-option",
      `The configuration file ${path} can't be read. Check the path and its permissions.`,
      { cause },
    );
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new MillraceError("invalid-option", `The configuration file ${path} is no valid JSON.`);
  }
}

async function importDefault(absolute: string, path: string): Promise<unknown> {
  try {
    const module = (await import(pathToFileURL(absolute).href)) as { readonly default?: unknown };
    return module.default;
  } catch (cause) {
    // Its message and its stack hold the name, which may be a secret.
    if (cause instanceof ReferenceError)
      throw new MillraceError(
        "invalid-option",
        `The configuration file ${path} can't be imported: it uses a name that is not defined. It may be a text without its quotes.`,
      );
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new MillraceError(
      "invalid-option",
      `The configuration file ${path} can't be imported: ${detail}`,
      { cause },
    );
  }
}
