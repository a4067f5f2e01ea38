import type { Envelope, HistoryRecord } from "@millrace/core";
import { type Mask, showValue } from "@millrace/telemetry/masking";
import {
  type FilterFields,
  hiddenPaths,
  hidesPayload,
  onceEach,
} from "../../filter/filter-fields.ts";
import { filterTest, parseFilter } from "../../filter/filter-test.ts";
import type { FilterTree, Term } from "../../filter/filter-tree.ts";
import { partlyTest } from "../../filter/partly.ts";
import { readFilter } from "../../filter/read-filter.ts";
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
  const hides = (job: FilteredJob, field: string): boolean => hidesText(mask, FIELDS, job, field);
  return parseFilter(text, now, { ...FIELDS, texts: maskedTexts(mask), hides });
}

/** A gate's name holds a key, which a producer wrote; of a tag and an error nobody knows. */
const MAY_HOLD_SECRETS = ["message", "reason", "gate"] as const;

/** Who sees only what fits could guess a secret letter by letter. */
function maskedTexts(mask: Mask): FilterFields<FilteredJob>["texts"] {
  const { texts } = FIELDS;
  const masked = MAY_HOLD_SECRETS.map((field) => {
    const read = texts[field];
    return [field, (job: FilteredJob) => maskedText(mask, read?.(job) ?? "")] as const;
  });
  return { ...texts, ...Object.fromEntries(masked) };
}

function maskedText(mask: Mask, text: string | readonly string[]): string | readonly string[] {
  return typeof text === "string" ? mask.text(text) : text.map((one) => mask.text(one));
}

function hidesText(mask: Mask, { texts }: typeof FIELDS, job: FilteredJob, field: string): boolean {
  if (!MAY_HOLD_SECRETS.some((one) => one === field)) return false;
  return hidesAny(mask, texts[field]?.(job) ?? "");
}

function hidesAny(mask: Mask, text: string | readonly string[]): boolean {
  return [text].flat().some((one) => mask.text(one) !== one);
}

/** What was met where jobs wait or run, with what it carries where that was looked at. */
export interface SeenJob {
  readonly job: LiveJob;
  readonly carries?: Pick<Envelope, "payload" | "tags">;
  /** What it carries was not looked at, for want of time: it may fit. */
  readonly unread?: true;
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
    isOfCargo(term) ? undefined : filterTest(term, now, fields),
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
  const shown = onceEach(({ carries }: SeenJob) => show(carries?.payload));
  const hidden = onceEach((seen: SeenJob) => hiddenPaths(seen.carries?.payload, shown(seen)));
  return {
    texts: {
      ...ofTheJob(maskedTexts(mask)),
      tag: ({ carries }) => maskedText(mask, carries?.tags ?? []),
    },
    numbers: ofTheJob(FIELDS.numbers),
    durations: ofTheJob(FIELDS.durations),
    at: ({ job }) => FIELDS.at(job),
    payload: shown,
    words: [...FIELDS.words, "tag"],
    hides: (seen, field) => {
      const { job, carries } = seen;
      if (field === "tag") return hidesAny(mask, carries?.tags ?? []);
      return hidesText(mask, FIELDS, job, field) || hidesPayload(field, () => hidden(seen));
    },
  };
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
