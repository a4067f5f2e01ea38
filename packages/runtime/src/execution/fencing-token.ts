export interface RunOrder {
  /** Which publication of the job this is. */
  readonly generation: number;
  /** Which delivery of that publication. */
  readonly deliveryCount: number;
  /** How long ago the message was stored, milliseconds. */
  readonly ageMs: number;
}

const AGE_STEP_MS = 64;
const AGES = 2 ** 20;
const DELIVERIES = 2 ** 6;

/**
 * A number that grows with every run of a job: first by its publications, then by the deliveries of one, then by the age of the message.
 * The age is for a server that was killed and forgot its latest deliveries: it counts the next one as it counted the last. Only there do
 * the nodes' clocks matter; a message older than 18 hours has no such protection.
 */
export function fencingToken({ generation, deliveryCount, ageMs }: RunOrder): number {
  const age = Math.min(AGES - 1, Math.max(0, Math.floor(ageMs / AGE_STEP_MS)));
  return (generation * DELIVERIES + Math.min(DELIVERIES - 1, deliveryCount)) * AGES + age;
}
