import type { Envelope, HistoryRecord } from "@millrace/core";
import { type Mask, showValue } from "@millrace/telemetry/masking";
import type { FilterFields } from "../../filter/filter-fields.ts";
import { filterTest, parseFilter, toldBy } from "../../filter/filter-test.ts";
import type { FilterTree, Term } from "../../filter/filter-tree.ts";
import { maskedTexts } from "../../filter/masked-texts.ts";
import { partlyTest } from "../../filter/partly.ts";
import { readFilter } from "../../filter/read-filter.ts";
import { seePayload, UNSEEN } from "../../filter/seen-payload.ts";
import type { LiveJob, LiveState } from "./live-jobs.ts";

/** A job that has not ended, or the record of how a delivery of one ended. */
type FilteredJob = LiveJob | HistoryRecord;

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
 * Reads a filter on records, in the language of `docs/filters.md`: `name=mail.* -error~timeout`.
 *
 * @param now epoch milliseconds, for `age`
 * @param mask hides secrets before they are looked at
 * @throws FilterError (`invalid-filter`) with the place at which it goes wrong
 * @example
 * const test = parseJobFilter("name=invoice.* error~timeout took>5s", Date.now(), createMask());
 */
export function parseJobFilter(
  text: string,
  now: number,
  mask: Mask,
): (job: HistoryRecord) => boolean {
  const masked = maskedTexts(FIELDS.texts, MAY_HOLD_SECRETS, mask);
  return parseFilter(text, now, {
    ...{ ...FIELDS, ...masked },
    // No record says it.
    hides: (job, field) => field === "lane" || masked.hides(job, field),
  });
}

/** A gate's name holds a key, which a producer wrote; of a tag and an error nobody knows. */
const MAY_HOLD_SECRETS = ["message", "reason", "gate"] as const;

/** What was met where jobs wait or run, with what it carries where that was looked at. */
export interface SeenJob {
  readonly job: LiveJob;
  readonly carries?: Pick<Envelope, "payload" | "tags" | "lane">;
  /** What it carries was not looked at, for want of time: it may fit. */
  readonly unread?: true;
  /** It ran when its queue was read, where it lay at this position. */
  readonly ranAt?: number;
}

export interface LiveJobTest {
  readonly fits: (seen: SeenJob) => boolean;
  /** Whether it can be told of a job only by what it carries. */
  readonly asksCargo: boolean;
  /** Whether any job in this state could fit. */
  readonly allows: (state: LiveState) => boolean;
  /** Whether the job could fit, whatever it carries. */
  readonly mayFit: (job: LiveJob) => boolean;
}

/**
 * Reads a filter on jobs that have not ended: what they carry is known of them, too. Who may count
 * what fits could guess a secret letter by letter: what a producer wrote is masked first.
 *
 * @throws FilterError (`invalid-filter`)
 */
export function parseLiveJobFilter(text: string, now: number, mask: Mask): LiveJobTest {
  const tree = readFilter(text);
  const fields = liveFieldsOf(mask);
  const fits = filterTest(tree, now, fields);
  const byState = partlyTest(tree, (term) =>
    term.field === "state" ? filterTest(term, now, STATE_ALONE) : undefined,
  );
  const byItself = partlyTest(tree, (term) =>
    isOfCargo(term) ? undefined : toldBy(term, now, fields),
  );
  const may = {
    allows: (state: LiveState) => byState(state) !== false,
    mayFit: (job: LiveJob) => byItself({ job }) !== false,
  };
  if (!asksCargo(tree)) return { ...may, fits, asksCargo: false };
  // Of what can't be read nobody can say that something is not in it.
  return { ...may, fits: (seen) => seen.carries !== undefined && fits(seen), asksCargo: true };
}

/** Of no filter. */
export const EVERY_LIVE_JOB: LiveJobTest = {
  ...{ fits: () => true, asksCargo: false, allows: () => true, mayFit: () => true },
};

function liveFieldsOf(mask: Mask): FilterFields<SeenJob> {
  const show = showValue(false, mask);
  const texts: FilterFields<SeenJob>["texts"] = {
    ...ofTheJob(FIELDS.texts),
    lane: ({ job, carries }) => job.lane ?? carries?.lane ?? "",
    tag: ({ carries }) => carries?.tags ?? [],
  };
  const known = Object.fromEntries(
    Object.entries(texts).map(([field, read]) => [
      field,
      (seen: SeenJob) => (isUnknown(seen, field) ? [] : read(seen)),
    ]),
  );
  const masked = maskedTexts(known, [...MAY_HOLD_SECRETS, "tag"], mask);
  return {
    ...masked,
    hides: (seen, field) => isUnknown(seen, field) || masked.hides(seen, field),
    numbers: ofTheJob(FIELDS.numbers),
    durations: ofTheJob(FIELDS.durations),
    at: ({ job }) => FIELDS.at(job),
    payload: ({ carries }) =>
      carries === undefined ? UNSEEN : seePayload(show(carries.payload), carries.payload),
    // Where something is known: with what isn't, the job would fit neither a word nor its negation.
    words: ["id", "name", "queue", "tag"],
  };
}

/**
 * Whether nobody can say it of this job. An error of an earlier attempt only the history knows; of
 * what runs, nodes don't say in which lane it came.
 */
function isUnknown({ job, carries }: SeenJob, field: string): boolean {
  switch (field) {
    case "error":
    case "message":
    case "reason":
    case "took":
      return true;
    case "lane":
      return job.state === "running" && job.lane === undefined && carries === undefined;
    case "node":
      return job.state === "running" && job.node === undefined;
    default:
      return false;
  }
}

function ofTheJob<Value>(
  table: Readonly<Record<string, (job: FilteredJob) => Value>>,
): Readonly<Record<string, (seen: SeenJob) => Value>> {
  return Object.fromEntries(
    Object.entries(table).map(([field, read]) => [field, ({ job }: SeenJob) => read(job)]),
  );
}

function asksCargo(tree: FilterTree): boolean {
  switch (tree.kind) {
    case "and":
    case "or":
      return tree.of.some(asksCargo);
    case "not":
      return asksCargo(tree.of);
    case "text":
      return true;
    case "term":
      return isOfCargo(tree);
  }
}

function isOfCargo({ field }: Term): boolean {
  return field === "tag" || field === "payload" || field.startsWith("payload.");
}

const STATE_ALONE: FilterFields<LiveState> = {
  ...{ texts: { state: (state) => state }, numbers: {}, durations: {}, words: [] },
  ...{ at: () => undefined, payload: "a state" },
};
