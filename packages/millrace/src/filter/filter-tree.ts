export type Operator = ":" | "=" | "!=" | "~" | "!~" | ">" | "<" | ">=" | "<=";

/** `field`, operator, value, as it stands in the text. */
export interface Term {
  readonly kind: "term";
  readonly whole: string;
  /** Counted from 1. */
  readonly position: number;
  /** In lower case, but for what follows a dot. */
  readonly field: string;
  readonly operator: Operator;
  readonly value: string;
}

/** A filter that was read, and not yet asked whether its fields are there. */
export type FilterTree =
  | { readonly kind: "and" | "or"; readonly of: readonly FilterTree[] }
  | { readonly kind: "not"; readonly of: FilterTree }
  | { readonly kind: "text"; readonly text: string }
  | Term;
