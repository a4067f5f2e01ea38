import type { Envelope } from "@millrace/core";

/** From here on attempts share a name: names are few, whatever a job's retries. */
const MANY = 10;

/**
 * A later attempt says its number, so that a trace's rows can be told apart at sight. The first of
 * a job, which is the only one of most, does not.
 */
export function nameOf(what: "process" | "queued", { name, attempts }: Envelope): string {
  const attempt = attempts + 1;
  if (attempt === 1) return `${what} ${name}`;
  return `${what} ${name} (attempt ${attempt < MANY ? attempt : `${MANY}+`})`;
}
