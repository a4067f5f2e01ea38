import { filterTest } from "../filter/filter-test.ts";
import { readFilter } from "../filter/read-filter.ts";
import type { IndexSearch } from "./index-calls.ts";
import { type IndexedJob, INDEX_FIELDS } from "./indexed-job.ts";
import { type Condition, type Dialect, narrow } from "./narrow.ts";

/** A search, as far as a database can look it up, and the test that decides. */
export interface LookedUp {
  /** With `?` for each value; empty where all rows are meant. */
  readonly where: string;
  readonly values: Condition["values"];
  readonly fits: (job: IndexedJob) => boolean;
}

/** @throws FilterError */
export function lookedUp({ filter, state, queue, now }: IndexSearch, by: Dialect): LookedUp {
  const tree = filter === undefined ? undefined : readFilter(filter);
  const fits = tree === undefined ? () => true : filterTest(tree, now, INDEX_FIELDS);
  const narrowed = tree === undefined ? undefined : narrow(tree, now, by);
  const wanted: readonly Condition[] = [
    ...(state === undefined ? [] : [{ sql: "state = ?", values: [state] }]),
    // One index serves this and who looks for a queue whatever its letters' case.
    ...(queue === undefined ? [] : [by.sameLetters("queue", queue)]),
    ...(narrowed === undefined ? [] : [narrowed]),
  ];
  return {
    where: wanted.length === 0 ? "" : `where ${wanted.map(({ sql }) => `(${sql})`).join(" and ")}`,
    values: wanted.flatMap(({ values }) => values),
    fits: (job) => (queue === undefined || job.queue === queue) && fits(job),
  };
}
