import { MillraceError } from "@millrace/core";

/** What somebody has agreed to. */
export interface Confirmed {
  /** Where more things fit by now, nothing is begun. Default: however many fit. */
  readonly atMost?: number;
}

/** @throws MillraceError `more-than-confirmed`; `invalid-option` where the number is none */
export function requireConfirmed(
  count: number,
  { atMost = Number.POSITIVE_INFINITY }: Confirmed,
): void {
  if (typeof atMost !== "number" || Number.isNaN(atMost))
    throw new MillraceError("invalid-option", `atMost: must be a number; got ${String(atMost)}.`);
  if (count <= atMost) return;
  throw new MillraceError(
    "more-than-confirmed",
    `${count} things fit by now, and at most ${atMost} were confirmed. Nothing was begun. Count again, and confirm that number.`,
  );
}
