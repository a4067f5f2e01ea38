import type { HistoryRecord } from "@millrace/core";
import type { FilterFields } from "../../filter/filter-fields.ts";
import { parseFilter } from "../../filter/filter-test.ts";
import type { LiveJob } from "./live-jobs.ts";

/** A job that has not ended, or the record of how a delivery of one ended. */
export type FilteredJob = LiveJob | HistoryRecord;

const FIELDS: FilterFields<FilteredJob> = {
  texts: {
    id: ({ id }) => id,
    name: ({ name }) => name,
    queue: ({ queue }) => queue,
    state: ({ state }) => state,
    node: ({ node }) => node ?? "",
    error: (job) => ("error" in job ? (job.error?.type ?? "") : ""),
    message: (job) => ("error" in job ? (job.error?.message ?? "") : ""),
    reason: (job) => ("reason" in job ? (job.reason ?? "") : ""),
    gate: (job) => ("gate" in job ? (job.gate ?? "") : ""),
    lane: (job) => ("lane" in job ? (job.lane ?? "") : ""),
  },
  numbers: { attempts: ({ attempts }) => attempts },
  durations: { took: (job) => ("durationMs" in job ? job.durationMs : undefined) },
  at: (job) => ("at" in job ? job.at : (job.startedAt ?? job.storedAt)),
  payload: "no payload, which the history does not hold: ask a job index, as the dashboard does",
  words: ["id", "name", "queue", "error", "message", "reason"],
};

/**
 * Reads a filter on jobs, in the language of `docs/filters.md`: `name=mail.* -error~timeout`.
 *
 * @param now epoch milliseconds, for `age`
 * @throws FilterError (`invalid-filter`) with the place at which it goes wrong
 * @example
 * const test = parseJobFilter("name=invoice.* error~timeout took>5s", Date.now());
 */
export function parseJobFilter(text: string, now: number): (job: FilteredJob) => boolean {
  return parseFilter(text, now, FIELDS);
}
