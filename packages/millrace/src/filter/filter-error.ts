import { MillraceError } from "@millrace/core";

/** A filter that can't be read. `code` is `invalid-filter`. */
export class FilterError extends MillraceError {
  /** Of the character at which it goes wrong, counted from 1. */
  readonly position: number;

  constructor(position: number, expected: string, got: string) {
    super(
      "invalid-filter",
      `filter: must hold ${expected}; got ${got === "" ? "the end" : got} at character ${position}.`,
    );
    this.position = position;
  }
}
