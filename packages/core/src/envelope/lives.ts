/**
 * Lives of a job are so many generations apart, at the least. A run that went on beside the one
 * that buried the job may have published the next ones: under their message ids the server would
 * take the new life for a duplicate, and the job would be lost.
 */
const APART = 1_024;

/** The same for every letter of one life, so that two of them are one new life. */
export function firstOfNextLife(generation: number): number {
  return (Math.floor(generation / APART) + 2) * APART;
}

/**
 * Whether what was noted at the first generation of a life is of a life before this one. A life
 * that goes on for very long may count as the next one.
 */
export function isEarlierLife(first: number, generation: number): boolean {
  return generation - first >= APART;
}
