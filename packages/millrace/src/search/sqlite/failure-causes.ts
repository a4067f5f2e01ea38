import type { StatementSync } from "node:sqlite";
import type { FailureGroup } from "@millrace/core";
import { filterTest } from "../../filter/filter-test.ts";
import { readFilter } from "../../filter/read-filter.ts";
import {
  CAUSE_FIELDS,
  type CauseRow,
  FailedOver,
  type FailedRow,
  groupOf,
  HOUR_MS,
} from "../cause-row.ts";
import type { AskedFailures } from "../failures-query.ts";
import type { News } from "../index-calls.ts";
import { causesOfRow, type NewRow } from "../index-rows.ts";

type Of = Pick<NewRow, "queue" | "name" | "causes">;

/** What attempts failed of, counted as their records are read. */
export class FailureCauses {
  readonly #prepare: (sql: string) => StatementSync;

  constructor(prepare: (sql: string) => StatementSync) {
    this.#prepare = prepare;
  }

  count({ ended, cause, job }: Extract<News, { readonly kind: "record" }>): void {
    if (cause === undefined) return;
    const { queue, name, id, error, node = "", traceId = null } = job;
    const at = Math.trunc(job.at);
    const died = ended === "dead" ? 1 : 0;
    const row = this.#prepare(
      `insert into cause (queue, name, fingerprint, error, pattern, frame, message, last_id, last_trace_id, first_at, last_at, failures, died, jobs)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, 0)
       on conflict (fingerprint, queue, name) do update set
         message = iif(excluded.last_at >= last_at, excluded.message, message),
         last_id = iif(excluded.last_at >= last_at, excluded.last_id, last_id),
         last_trace_id = iif(excluded.last_at >= last_at, excluded.last_trace_id, last_trace_id),
         first_at = iif(failures <= 0, excluded.first_at, min(first_at, excluded.first_at)),
         last_at = max(last_at, excluded.last_at),
         failures = failures + 1,
         died = died + excluded.died
       returning key`,
    ).get(
      ...[queue, name, cause.fingerprint, cause.type, cause.pattern, cause.frame ?? null],
      ...[error?.message ?? "", id, traceId, at, at, died],
    );
    this.#prepare(
      `insert into failed (cause, hour, node, failures, died) values (?, ?, ?, 1, ?)
       on conflict do update set failures = failures + 1, died = died + excluded.died`,
    ).run(Number(row?.["key"]), Math.floor(at / HOUR_MS), node, died);
  }

  /** A job is there, is another one, or is gone: by the causes of which it failed it is found. */
  changeOfJob(job: number, before: Of | undefined, now: Of | undefined): void {
    if (before?.causes === now?.causes && before?.name === now?.name) return;
    const change = (of: Of | undefined, sql: string, by: number): void => {
      for (const fingerprint of of === undefined ? [] : causesOfRow(of)) {
        this.#prepare(sql).run(fingerprint, job);
        this.#prepare(
          "update cause set jobs = jobs + ? where fingerprint = ? and queue = ? and name = ?",
        ).run(by, fingerprint, of?.queue ?? "", of?.name ?? "");
      }
    };
    change(before, "delete from failing where fingerprint = ? and job = ?", -1);
    change(now, "insert into failing (fingerprint, job) values (?, ?)", 1);
  }

  /** Attempts that failed in earlier hours. */
  forget(before: number): void {
    const hour = Math.floor(before / HOUR_MS);
    this.#prepare(
      `update cause set failures = failures - lost, died = died - lost_died
       from (select cause as of, sum(failures) as lost, sum(died) as lost_died from failed where hour < ? group by cause)
       where of = key`,
    ).run(hour);
    this.#prepare(
      `update cause set first_at = max(first_at, ?) where key in (select cause from failed where hour < ?)`,
    ).run(hour * HOUR_MS, hour);
    this.#prepare("delete from failed where hour < ?").run(hour);
    this.#prepare("delete from cause where failures <= 0 and jobs <= 0").run();
  }

  /** Those of which most failed come first. */
  list({ queue, where, fingerprints, limit, now }: AskedFailures): readonly FailureGroup[] {
    const fits =
      where === undefined ? () => true : filterTest(readFilter(where), now, CAUSE_FIELDS);
    const wanted = [
      ...(queue === undefined ? [] : [{ sql: "queue = ?", value: queue }]),
      ...(fingerprints === undefined
        ? []
        : [
            {
              sql: "fingerprint in (select value from json_each(?))",
              value: JSON.stringify(fingerprints),
            },
          ]),
    ];
    const rows = this.#prepare(
      `select * from cause where failures > 0 ${wanted.map(({ sql }) => `and ${sql}`).join(" ")} order by failures desc, last_at desc`,
    ).iterate(...wanted.map(({ value }) => value));
    const found: FailureGroup[] = [];
    for (const row of rows) {
      const of = row as unknown as CauseRow;
      const failed = new FailedOver(() => this.#failed(of.key));
      if (fits({ ...of, nodes: () => failed.nodes })) found.push(groupOf(of, failed));
      if (found.length === limit) break;
    }
    return found;
  }

  #failed(cause: number): readonly FailedRow[] {
    const rows = this.#prepare("select hour, node, failures, died from failed where cause = ?");
    return rows.all(cause) as unknown as FailedRow[];
  }
}
