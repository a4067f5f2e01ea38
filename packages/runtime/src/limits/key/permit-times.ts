/** How long the permits of a key stay, and what is believed of them. Milliseconds. */
export const PERMIT_MS = {
  /** A permit that nobody uses stays this long for the next job of its key: two writes less. */
  idle: 100,
  /** A permit that a blocked job was let in with waits this long for it to come. */
  offered: 1_000,
  /** That other nodes have all permits is believed for this long. */
  full: 250,
  /**
   * Whether another node's jobs are blocked is looked up at least this often while permits go from
   * job to job here.
   */
  lookEvery: 250,
  /**
   * After a job was blocked, its gate is looked at once more; one look for all that were blocked
   * meanwhile.
   */
  lookAgain: 50,
  /**
   * While jobs wait, permits that came free elsewhere (a holder was killed) are tried for this
   * often.
   */
  expandEvery: 1_000,
  /** Longer than the publication of a blocked job takes to be confirmed. */
  blockUnderWay: 5_000,
} as const;
