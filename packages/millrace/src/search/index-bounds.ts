/** Rows that one statement deletes. */
export const DELETED_TOGETHER = 1_000;
/** How much of the allowed size is left full, so that it is not exceeded again soon. */
export const ROOM = 0.9;
/** And of what is allowed, so much may be of what was heard and is in no stream. */
export const HEARD_SHARE = 0.25;
