/** Characters of a key, a tag or a reason that somebody gives. */
export const MAX_TEXT = 1_024;
/** Tags of a job. */
export const MAX_TAGS = 100;
/** Characters of a reason: shown in histories and errors; a longer text belongs elsewhere. */
export const MAX_REASON = 1_000;
