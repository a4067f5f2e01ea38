import { MillraceError } from "../errors/millrace-error.ts";
import { type Duration, toMs } from "../time/duration.ts";

/** @throws MillraceError `invalid-option`, `invalid-duration` */
export function atLeast1Ms(duration: Duration, field: string): number {
  const ms = toMs(duration, field);
  if (ms >= 1) return ms;
  throw new MillraceError("invalid-option", `${field}: must be at least 1ms.`);
}
