import { MillraceError } from "@millrace/core";

/** A filter that can't be read. `code` is `invalid-filter`. */
export class FilterError extends MillraceError {
  /** The place of the character at which it goes wrong, counted from 1. */
  readonly position: number;

  constructor(position: number, expected: string, got: string) {
    super("invalid-filter", textOf(position, expected, got));
    this.position = position;
  }

  /** Makes the error anew that a thread threw. */
  static again({
    position,
    text,
  }: {
    readonly position: number;
    readonly text: string;
  }): FilterError {
    return Object.assign(new FilterError(position, "", ""), { message: text });
  }
}

function textOf(position: number, expected: string, got: string): string {
  const what = got === "" ? "the end" : got;
  return `filter: must hold ${expected}; got ${what} at character ${position}.`;
}
