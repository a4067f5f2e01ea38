import type { StatementSync } from "node:sqlite";
import type { EndedRate, News, RatesQuery } from "./index-calls.ts";

const MINUTE_MS = 60_000;
/** Lengths of time are counted in classes, each so much longer than the one before. */
const STEP = 1.1;

/** Of attempts: how long, and how many. */
type Lengths = [length: number, count: number][];

type Counting = { -readonly [Key in keyof Omit<EndedRate, "waited">]: EndedRate[Key] } & {
  readonly took: Lengths;
};

/** How attempts ended, by minute and queue, counted as their records are read. */
export class EndedRates {
  readonly #prepare: (sql: string) => StatementSync;

  constructor(prepare: (sql: string) => StatementSync) {
    this.#prepare = prepare;
  }

  count({ ended, job, waitedMs }: Extract<News, { readonly kind: "record" }>): void {
    if (ended === undefined) return;
    const { queue, at, durationMs = 0 } = job;
    const minute = Math.floor(at / MINUTE_MS);
    this.#prepare(
      "insert into ended (minute, queue, how, took, count) values (?, ?, ?, ?, 1) on conflict do update set count = count + 1",
    ).run(minute, queue, ended, classOf(durationMs));
    if (waitedMs === undefined) return;
    this.#prepare(
      "insert into waited (minute, queue, waited, count) values (?, ?, ?, 1) on conflict do update set count = count + 1",
    ).run(minute, queue, classOf(waitedMs));
  }

  forget(before: number): void {
    for (const table of ["ended", "waited"])
      this.#prepare(`delete from ${table} where minute < ?`).run(Math.floor(before / MINUTE_MS));
  }

  /** Only steps in which an attempt ended. */
  list(query: RatesQuery): readonly EndedRate[] {
    const { since, queue = "" } = query;
    const minutes = minutesOf(query);
    const rows = this.#prepare(
      "select minute / cast(? as integer) as step, how, took, sum(count) as count from ended where minute >= ? and (? = '' or queue = ?) group by 1, 2, 3 order by 1, 3",
    ).all(minutes, Math.floor(since / MINUTE_MS), queue, queue);
    const steps = new Map<number, Counting>();
    for (const row of rows) {
      const at = Number(row["step"]) * minutes * MINUTE_MS;
      const step = steps.get(at) ?? {
        ...{ at, succeeded: 0, failed: 0, dead: 0, p50Ms: 0, p95Ms: 0, took: [] },
      };
      const count = Number(row["count"]);
      step[row["how"] as "succeeded" | "failed" | "dead"] += count;
      step.took.push([lengthOf(Number(row["took"])), count]);
      steps.set(at, step);
    }
    const waits = this.#waits(query);
    return [...steps.values()].map(({ took, ...rate }) => {
      const waited = waits.get(rate.at);
      return {
        ...rate,
        ...percentiles(took),
        ...(waited === undefined ? {} : { waited: percentiles(waited) }),
      };
    });
  }

  #waits(query: RatesQuery): ReadonlyMap<number, Lengths> {
    const { since, queue = "" } = query;
    const minutes = minutesOf(query);
    const rows = this.#prepare(
      "select minute / cast(? as integer) as step, waited, sum(count) as count from waited where minute >= ? and (? = '' or queue = ?) group by 1, 2",
    ).all(minutes, Math.floor(since / MINUTE_MS), queue, queue);
    const steps = new Map<number, Lengths>();
    for (const row of rows) {
      const at = Number(row["step"]) * minutes * MINUTE_MS;
      const step = steps.get(at) ?? [];
      step.push([lengthOf(Number(row["waited"])), Number(row["count"])]);
      steps.set(at, step);
    }
    return steps;
  }
}

function minutesOf({ stepMs }: RatesQuery): number {
  return Math.max(1, Math.round(stepMs / MINUTE_MS));
}

function percentiles(lengths: Lengths): { readonly p50Ms: number; readonly p95Ms: number } {
  return { p50Ms: percentile(lengths, 0.5), p95Ms: percentile(lengths, 0.95) };
}

function classOf(ms: number): number {
  return ms <= 0 ? 0 : Math.round(Math.log(ms + 1) / Math.log(STEP));
}

function lengthOf(took: number): number {
  return STEP ** took - 1;
}

/** @param took in the order of their lengths, within what each way to end has */
function percentile(took: readonly (readonly [number, number])[], part: number): number {
  const sorted = took.toSorted(([a], [b]) => a - b);
  const wanted = sorted.reduce((sum, [, count]) => sum + count, 0) * part;
  let seen = 0;
  for (const [length, count] of sorted) {
    seen += count;
    if (seen >= wanted) return length;
  }
  return 0;
}
