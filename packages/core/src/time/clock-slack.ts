/**
 * The clocks of producers, nodes and servers may be so far apart. Two times of which each was read
 * from another clock are compared with this much room.
 */
export const CLOCK_SLACK_MS = 60_000;
