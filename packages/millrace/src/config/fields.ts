import { CONNECTION_FIELDS } from "./connection-fields.ts";
import { DASHBOARD_FIELDS } from "./dashboard-fields.ts";
import type { FieldKind } from "./field-kinds.ts";
import { NODE_FIELDS } from "./node-fields.ts";
import { STORE_FIELDS } from "./store-fields.ts";

/**
 * Every configuration field, once. Drives reading flags, environment and file, `--help`, and the
 * table in `docs/configuration.md`. A field's key is its name in the configuration file and in the
 * options of `connect` and `createNode`.
 */
export const FIELDS = {
  ...CONNECTION_FIELDS,
  ...NODE_FIELDS,
  ...STORE_FIELDS,
  ...DASHBOARD_FIELDS,
} as const;

export type FieldKey = keyof typeof FIELDS;

type ValueOf<Key extends FieldKey> =
  (typeof FIELDS)[Key]["kind"] extends FieldKind<infer Value> ? Value : never;

/** Keys whose field has a default are always there. */
type DefaultedKey = {
  [Key in FieldKey]: (typeof FIELDS)[Key] extends { readonly default: unknown } ? Key : never;
}[FieldKey];

/** The validated, frozen configuration. */
export type Config = { readonly [Key in DefaultedKey]: ValueOf<Key> } & {
  readonly [Key in Exclude<FieldKey, DefaultedKey>]?: ValueOf<Key>;
};

/**
 * What may be given for the fields in code: durations and lists in their readable forms too.
 * Checked when read.
 */
export type ConfigInput = {
  // Over the object itself, not over `FieldKey`: only so editors show the fields' docstrings here.
  readonly [Key in keyof typeof FIELDS]?: ValueOf<Key> extends number
    ? number | string
    : ValueOf<Key> extends readonly string[]
      ? string | readonly string[]
      : ValueOf<Key>;
};

export const FIELD_KEYS = Object.keys(FIELDS) as readonly FieldKey[];
