import { MillraceError, nearest, shownValue } from "@millrace/core";
import type { Field } from "./field.ts";
import { type Config, FIELD_KEYS, type FieldKey, FIELDS } from "./fields.ts";

/**
 * Where values may come from, strongest first: flags (or options in code), environment, file,
 * defaults.
 */
export interface ConfigSources {
  /** Raw values by field. `label` names one to the user: `--grace`, `graceMs`. */
  readonly given?: {
    readonly values: Readonly<Partial<Record<FieldKey, unknown>>>;
    readonly label: (key: FieldKey) => string;
  };
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly file?: { readonly path: string; readonly values: Readonly<Record<string, unknown>> };
}

export interface Found {
  readonly raw: unknown;
  /** As it stands in an error: `flag --grace`, `environment variable MILLRACE_GRACE`. */
  readonly source: string;
}

/**
 * The configuration: every field from its strongest source, validated once, frozen.
 *
 * @throws MillraceError `invalid-option`, naming the field, where it came from and, unless it is a
 *   secret, its value
 */
export function readConfig(sources: ConfigSources): Config {
  if (sources.file !== undefined) refuseUnknownKeys(sources.file.path, sources.file.values);
  const values: Record<string, unknown> = {};
  const from: Partial<Record<FieldKey, string>> = {};
  for (const key of FIELD_KEYS) {
    const field: Field = FIELDS[key];
    const found = find(key, field, sources);
    if (found === undefined) {
      if (field.default !== undefined) values[key] = frozen(field.default);
      continue;
    }
    values[key] = parse(key, field, found);
    from[key] = found.source;
  }
  const config = values as unknown as Config;
  refuseContradictions(config, from);
  return Object.freeze(config);
}

/** An empty variable counts as not set: that is how a compose file leaves one out. */
export function find(
  key: FieldKey,
  field: Field,
  { given, env = {}, file }: ConfigSources,
): Found | undefined {
  const own = given?.values[key];
  if (given !== undefined && own !== undefined) return { raw: own, source: given.label(key) };
  for (const variable of field.env) {
    const raw = env[variable];
    if (raw !== undefined && raw !== "") return { raw, source: `environment variable ${variable}` };
  }
  const raw = file?.values[key];
  return file === undefined || raw === undefined ? undefined : { raw, source: `file ${file.path}` };
}

function parse(key: FieldKey, field: Field, { raw, source }: Found): unknown {
  try {
    return frozen(field.kind.parse(raw));
  } catch (cause) {
    const expected = cause instanceof Error ? cause.message : String(cause);
    const got =
      field.secret !== undefined || MillraceError.is(cause) ? "" : `; got ${shownValue(raw)}`;
    throw new MillraceError(
      "invalid-option",
      `${key} (${source}): ${expected}${got}.`.replace(/\.\.$/, "."),
    );
  }
}

function frozen<Value>(value: Value): Value {
  return typeof value === "object" && value !== null ? Object.freeze(value) : value;
}

function refuseUnknownKeys(path: string, values: Readonly<Record<string, unknown>>): void {
  for (const key of Object.keys(values)) {
    if (Object.hasOwn(FIELDS, key)) continue;
    const meant = nearest(key.slice(0, 80), FIELD_KEYS);
    throw new MillraceError(
      "invalid-option",
      `${key} (file ${path}): there is no such field. ${meant === undefined ? `Fields: ${FIELD_KEYS.join(", ")}.` : `Did you mean ${meant}?`}`,
    );
  }
}

/** Ways of saying who one is that exclude each other, and halves of pairs. */
function refuseContradictions(config: Config, from: Partial<Record<FieldKey, string>>): void {
  const ways = (["credsFile", "nkeyFile", "token", "user"] as const).filter(
    (key) => config[key] !== undefined,
  );
  if (ways.length > 1) {
    throw new MillraceError(
      "invalid-option",
      `${ways.map((key) => `${key} (${from[key]})`).join(" and ")}: one way to authenticate is enough; remove the others.`,
    );
  }
  requirePair(config, from, "password", "user");
  requirePair(config, from, "user", "password");
  requirePair(config, from, "tlsCertFile", "tlsKeyFile");
  requirePair(config, from, "tlsKeyFile", "tlsCertFile");
}

function requirePair(
  config: Config,
  from: Partial<Record<FieldKey, string>>,
  key: FieldKey,
  needed: FieldKey,
): void {
  if (config[key] === undefined || config[needed] !== undefined) return;
  throw new MillraceError(
    "invalid-option",
    `${key} (${from[key]}): needs ${needed} too (environment variable ${FIELDS[needed].env[0]}).`,
  );
}
