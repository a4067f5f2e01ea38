// What JetStream's error codes mean, for those who have only the code: the lease thread loads no
// client library for it.

/**
 * A compare-and-set was refused because of another write to its subject that no majority has
 * confirmed yet, and that may come to nothing.
 */
export const NOT_AGREED_ON = 10164;

/** A compare-and-set was refused. */
export const WRONG_SEQUENCE: ReadonlySet<number> = new Set([10071, NOT_AGREED_ON]);

/** Nothing is stored at that place of a stream. */
export const NO_MESSAGE = 10037;

/** The cluster, or the server, knows of no such stream. */
export const STREAM_NOT_FOUND = 10059;

/**
 * What JetStream says while a leader is missing, or a member that a new stream needs for its
 * copies: incomplete results, no suitable peers, not active, not available, not leader, stream
 * offline, consumer offline.
 */
export const WITHOUT_LEADER: ReadonlySet<number> = new Set([
  10004, 10005, 10006, 10008, 10009, 10118, 10119,
]);
