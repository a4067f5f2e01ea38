/**
 * The clocks of producers, nodes and servers may be so far apart. Two times of which each was read
 * from another clock are compared with this much room.
 */
export const CLOCK_SLACK_MS = 60_000;

/** A clock that is further from the server's than this is wrong, and people are told. */
export const CLOCK_OFF_MS = 5_000;
