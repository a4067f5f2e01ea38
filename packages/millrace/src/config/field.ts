import type { FieldKind } from "./field-kinds.ts";

/**
 * Which commands and calls a field is for. `dev` has a server of its own, and so takes no
 * `connection` fields.
 */
export type FieldGroup =
  | "connection"
  | "namespace"
  | "masking"
  | "node"
  | "health"
  | "processes"
  | "records"
  | "outbox"
  | "index"
  | "dashboard"
  | "tracing";

export interface Field<Value = unknown> {
  readonly group: FieldGroup;
  readonly kind: FieldKind<Value>;
  /**
   * `server` for `--server`. Absent where a flag would show a secret to everyone who lists
   * processes.
   */
  readonly flag?: string;
  /** The first one set counts. */
  readonly env: readonly string[];
  readonly default?: Value;
  /** Its value is never shown; of a `url`, what stands before the host. */
  readonly secret?: true | "url";
  readonly about: string;
}

/** Keeps each field's own value type, and whether it has a default. */
export function field<Value, const F extends Field<Value>>(
  definition: F & { readonly kind: FieldKind<Value> },
): F & Field<Value> {
  return definition;
}
