import { storable } from "@millrace/core";
import type { EndedRate, News, RatesQuery } from "../index-calls.ts";
import {
  classOf,
  type EndedRow,
  MINUTE_MS,
  minutesOf,
  ratesOf,
  type WaitedRow,
} from "../rate-rows.ts";
import type { Session } from "./postgres-database.ts";

type Columns = readonly (string | number)[];

/** How attempts ended, by minute and queue, added up before it is written. */
export class RateCounts {
  readonly #ended = new Map<string, { readonly of: Columns; count: number }>();
  readonly #waited = new Map<string, { readonly of: Columns; count: number }>();

  count({ ended, job, waitedMs }: Extract<News, { readonly kind: "record" }>): void {
    if (ended === undefined) return;
    const { at, durationMs = 0 } = job;
    const [minute, queue] = [Math.floor(at / MINUTE_MS), storable(job.queue)];
    add(this.#ended, [minute, queue, ended, classOf(durationMs)]);
    if (waitedMs !== undefined) add(this.#waited, [minute, queue, classOf(waitedMs)]);
  }

  async write(session: Session, schema: string): Promise<void> {
    const ended = [...this.#ended.values()];
    const waited = [...this.#waited.values()];
    const column = (rows: typeof ended, at: number) => rows.map(({ of }) => of[at]);
    const counts = (rows: typeof ended) => rows.map(({ count }) => count);
    if (ended.length > 0)
      await session.query(
        `insert into ${schema}.ended (minute, queue, how, took, count)
         select * from unnest($1::double precision[], $2::text[], $3::text[], $4::double precision[], $5::double precision[])
         on conflict (minute, queue, how, took) do update set count = ended.count + excluded.count`,
        [...[0, 1, 2, 3].map((at) => column(ended, at)), counts(ended)],
      );
    if (waited.length > 0)
      await session.query(
        `insert into ${schema}.waited (minute, queue, waited, count)
         select * from unnest($1::double precision[], $2::text[], $3::double precision[], $4::double precision[])
         on conflict (minute, queue, waited) do update set count = waited.count + excluded.count`,
        [...[0, 1, 2].map((at) => column(waited, at)), counts(waited)],
      );
  }
}

function add(to: Map<string, { readonly of: Columns; count: number }>, of: Columns): void {
  const key = JSON.stringify(of);
  const counted = to.get(key) ?? { of, count: 0 };
  counted.count += 1;
  to.set(key, counted);
}

export async function forgetRates(session: Session, schema: string, before: number): Promise<void> {
  for (const table of ["ended", "waited"])
    await session.query(`delete from ${schema}.${table} where minute < $1`, [
      Math.floor(before / MINUTE_MS),
    ]);
}

/** Only steps in which an attempt ended. */
export async function listRates(
  session: Session,
  schema: string,
  query: RatesQuery,
): Promise<readonly EndedRate[]> {
  const { since, queue = "" } = query;
  const minutes = minutesOf(query);
  const asked = [minutes, Math.floor(since / MINUTE_MS), storable(queue)];
  const step = "floor(minute / $1::double precision) as step";
  const where = "where minute >= $2 and ($3::text = '' or queue = $3) group by";
  const ended = await session.query(
    `select ${step}, how, took, sum(count) as count from ${schema}.ended ${where} 1, 2, 3`,
    asked,
  );
  const waited = await session.query(
    `select ${step}, waited, sum(count) as count from ${schema}.waited ${where} 1, 2`,
    asked,
  );
  return ratesOf(
    ended as unknown as readonly EndedRow[],
    waited as unknown as readonly WaitedRow[],
    minutes,
  );
}
