import { MillraceError } from "../errors/millrace-error.ts";

/** How far a running handler says it is. */
export interface ProgressReport {
  /** As the handler gave it: a share of 1, a percentage, a count; never negative. */
  readonly value: number;
  readonly note?: string;
  /** The attempt that said it, 1 for the first. */
  readonly attempt: number;
  /** Epoch milliseconds, by the node's clock; of one run they only grow. */
  readonly at: number;
  readonly node: string;
}

const MAX_NOTE = 1_000;

/**
 * What a handler gave, as it is kept; a longer note is cut.
 *
 * @throws MillraceError `invalid-progress`
 */
export function checkProgress(
  value: unknown,
  note: unknown,
): Pick<ProgressReport, "value" | "note"> {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0)
    throw new MillraceError(
      "invalid-progress",
      `progress(): the value must be a number from 0 up, such as 0.5 or 1200; got ${shown(value)}.`,
    );
  if (note === undefined) return { value };
  if (typeof note !== "string")
    throw new MillraceError(
      "invalid-progress",
      `progress(): the note must be a text; got ${shown(note)}.`,
    );
  return { value, note: note.slice(0, MAX_NOTE) };
}

/** A text may be anything, and long: its type says enough. */
function shown(value: unknown): string {
  return typeof value === "number" ? String(value) : value === null ? "null" : typeof value;
}
