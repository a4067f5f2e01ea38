import type { Envelope } from "../envelope/envelope.ts";

/**
 * Whether a delayed job waits for the start that its producer gave it, and not for a retry, after a
 * snooze or for the place that a rate keeps for it. Pure.
 */
export function waitsForOwnStart({
  generation,
  attempts,
  interruptions,
  snoozes,
  crashes,
  reservedAt,
}: Envelope): boolean {
  const hasRun = attempts + interruptions + snoozes + crashes > 0;
  return generation === 1 && !hasRun && reservedAt === undefined;
}
