import type { StatementSync } from "node:sqlite";
import type { EndedRate, News, RatesQuery } from "../index-calls.ts";
import {
  classOf,
  type EndedRow,
  MINUTE_MS,
  minutesOf,
  ratesOf,
  type WaitedRow,
} from "../rate-rows.ts";

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

  list(query: RatesQuery): readonly EndedRate[] {
    const { since, queue = "" } = query;
    const minutes = minutesOf(query);
    const asked = [minutes, Math.floor(since / MINUTE_MS), queue, queue] as const;
    const ended = this.#prepare(
      "select minute / cast(? as integer) as step, how, took, sum(count) as count from ended where minute >= ? and (? = '' or queue = ?) group by 1, 2, 3",
    ).all(...asked);
    const waited = this.#prepare(
      "select minute / cast(? as integer) as step, waited, sum(count) as count from waited where minute >= ? and (? = '' or queue = ?) group by 1, 2",
    ).all(...asked);
    return ratesOf(ended as unknown as EndedRow[], waited as unknown as WaitedRow[], minutes);
  }
}
