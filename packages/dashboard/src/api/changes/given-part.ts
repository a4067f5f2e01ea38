import { MillraceError } from "@millrace/core";

/** @throws MillraceError `invalid-option` where the dashboard was made without it */
export function givenPart<Part>(part: Part | undefined, name: string): Part {
  if (part !== undefined) return part;
  throw new MillraceError("invalid-option", `This dashboard has no ${name}.`);
}
