/** The latest time that a `Date` can be, epoch milliseconds: no other can be shown. */
export const LATEST_DATE_MS = 8.64e15;
