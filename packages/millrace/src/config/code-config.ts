import { MillraceError } from "@millrace/core";
import { loadConfigFile } from "./config-file.ts";
import { type Config, FIELD_KEYS, type FieldKey } from "./fields.ts";
import { readConfig } from "./read-config.ts";

export interface CodeConfigOptions {
  /** May hold more than fields: what isn't one is not looked at. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly configFile?: string;
  /** Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * The configuration of a call in code: its options, else the environment, else a file that was
 * named.
 */
export async function codeConfig({
  fields,
  configFile,
  env = process.env,
}: CodeConfigOptions): Promise<Config> {
  const values: Partial<Record<FieldKey, unknown>> = {};
  for (const key of FIELD_KEYS) {
    if (fields[key] !== undefined) values[key] = fields[key];
  }
  if (configFile === "")
    throw new MillraceError("invalid-option", "configFile: must be a path; got an empty text.");
  const file =
    configFile === undefined ? undefined : await loadConfigFile(configFile, process.cwd());
  return readConfig({
    given: { values, label: (key) => `option ${key}` },
    env,
    ...(file === undefined ? {} : { file }),
  });
}
