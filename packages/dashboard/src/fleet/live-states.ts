/** Of a job that has not ended. */
export type LiveState = "queued" | "delayed" | "blocked" | "running";

/** The page knows them too, and nothing else of the fleet. */
export const LIVE_STATES: readonly string[] = [
  "queued",
  "delayed",
  "blocked",
  "running",
] satisfies LiveState[];
