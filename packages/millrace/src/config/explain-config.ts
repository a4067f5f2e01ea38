import { MASKED, maskText } from "@millrace/telemetry/masking";
import type { Field } from "./field.ts";
import { type Config, FIELD_KEYS, type FieldKey, FIELDS } from "./fields.ts";
import { type ConfigSources, find } from "./read-config.ts";

/** One field of a configuration, as it may be shown. */
export interface ConfigEntry {
  readonly field: FieldKey;
  /** Null where it is not set and has no default. Secrets are hidden. */
  readonly value: unknown;
  /**
   * `default`, `not set`, or what said it: `flag --grace`, `environment variable MILLRACE_GRACE`,
   * `file …`.
   */
  readonly source: string;
}

/** Every field of a configuration with where it came from, secrets hidden. */
export function explainConfig(config: Config, sources: ConfigSources): readonly ConfigEntry[] {
  return FIELD_KEYS.map((key) => {
    const field: Field = FIELDS[key];
    const value: unknown = config[key];
    const found = find(key, field, sources)?.source;
    return {
      field: key,
      value: value === undefined ? null : shown(field, value),
      source: found ?? (value === undefined ? "not set" : "default"),
    };
  });
}

function shown({ secret }: Field, value: unknown): unknown {
  if (secret === undefined) return value;
  if (secret === true) return MASKED;
  return Array.isArray(value) ? value.map(withoutCredentials) : withoutCredentials(value);
}

/** A password may hold an @ itself, so everything before the last one goes. */
function withoutCredentials(url: unknown): string {
  return maskText(String(url).replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/i, `$1${MASKED}@`));
}
