import type { Envelope } from "../envelope/envelope.ts";

/**
 * Whether a job's id is its key in a call: a dead letter that is tried again is the job of its id,
 * and never keeps itself out.
 *
 * @param keys of the call
 */
export function isKeyed(
  { id, generation }: Pick<Envelope, "id" | "generation">,
  keys: ReadonlySet<string> | undefined,
): boolean {
  return generation === 0 && keys?.has(id) === true;
}

/**
 * The results of a call in the order in which its jobs were given.
 *
 * @param known of each job: what was known before, or undefined of one that was sent
 * @param sent of those that were sent, in their order
 */
export function inPlaces<Result>(
  known: readonly (Result | undefined)[],
  sent: readonly Result[],
): readonly Result[] {
  let next = 0;
  return known.map((one) => one ?? (sent[next++] as Result));
}
