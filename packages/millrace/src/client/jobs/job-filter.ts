import type { HistoryRecord } from "@millrace/core";
import type { LiveJob } from "./live-jobs.ts";
import { parseTerms, type TermFields } from "../term-filter.ts";

/** A job that has not ended, or the record of how a delivery of one ended. */
export type FilteredJob = LiveJob | HistoryRecord;

const FIELDS: TermFields<FilteredJob> = {
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
};

/**
 * Reads a filter on jobs, in the language of `parseDeadFilter`, with the fields that a job has:
 * `id`, `name`, `queue`, `state`, `node`, `error`, `message`, `reason`, `gate`, `lane`, `attempts`,
 * `took`, `at` and `age` (since it is in its state).
 *
 * @param now epoch milliseconds, for `age`
 * @throws MillraceError `invalid-option`, naming the term and its place
 * @example
 * const test = parseJobFilter("name=invoice.* error~timeout took>5s", Date.now());
 */
export function parseJobFilter(text: string, now: number): (job: FilteredJob) => boolean {
  return parseTerms(text, now, FIELDS);
}
