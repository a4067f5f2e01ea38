import { type FailureGroup, storable, storableJson } from "@millrace/core";
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
import type { Row, Session } from "./postgres-database.ts";

/** A job, as far as its causes are concerned. */
export type CausesOf = Pick<NewRow, "queue" | "name" | "causes">;
type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Of a cause, what some news add to it. */
interface Added {
  readonly cause: Writable<Omit<CauseRow, "key" | "jobs">>;
  readonly failed: Map<string, Writable<FailedRow>>;
}

const CAUSE = [
  ...["queue", "name", "fingerprint", "error", "pattern", "frame", "message"],
  ...["last_id", "last_trace_id", "first_at", "last_at", "failures", "died"],
] as const;
const CAUSE_TYPES = CAUSE.map((name) =>
  ["first_at", "last_at", "failures", "died"].includes(name)
    ? `${name} double precision`
    : `${name} text`,
).join(", ");
const CAUSE_PAGE = 200;

/** What attempts failed of, added up before it is written. */
export class CauseCounts {
  readonly #added = new Map<string, Added>();
  /** By how much the number of a cause's jobs changes. */
  readonly #jobs = new Map<string, { readonly of: readonly string[]; by: number }>();

  count({ ended, cause, job }: Extract<News, { readonly kind: "record" }>): void {
    if (cause === undefined) return;
    const { id, error, traceId = null } = job;
    const [queue, name, node] = [job.queue, job.name, job.node ?? ""].map(storable) as [
      string,
      string,
      string,
    ];
    const at = Math.trunc(job.at);
    const died = ended === "dead" ? 1 : 0;
    const key = JSON.stringify([cause.fingerprint, queue, name]);
    const added = this.#added.get(key) ?? {
      cause: {
        ...{ queue, name, fingerprint: cause.fingerprint, error: cause.type },
        ...{ pattern: cause.pattern, frame: cause.frame ?? null, message: "" },
        ...{ last_id: id, last_trace_id: traceId, first_at: at, last_at: at },
        ...{ failures: 0, died: 0 },
      },
      failed: new Map<string, Writable<FailedRow>>(),
    };
    const of = added.cause;
    if (at >= of.last_at)
      Object.assign(of, { message: error?.message ?? "", last_id: id, last_trace_id: traceId });
    of.first_at = Math.min(of.first_at, at);
    of.last_at = Math.max(of.last_at, at);
    of.failures += 1;
    of.died += died;
    const hour = Math.floor(at / HOUR_MS);
    const failedKey = `${hour} ${node}`;
    const failed = added.failed.get(failedKey) ?? { hour, node, failures: 0, died: 0 };
    failed.failures += 1;
    failed.died += died;
    added.failed.set(failedKey, failed);
    this.#added.set(key, added);
  }

  /** A job is there, is another one, or is gone. */
  changeOfJob(before: CausesOf | undefined, now: CausesOf | undefined): void {
    if (before?.causes === now?.causes && before?.name === now?.name) return;
    this.#changeJobs(before, -1);
    this.#changeJobs(now, 1);
  }

  #changeJobs(of: CausesOf | undefined, by: number): void {
    for (const cause of of === undefined ? [] : causeKeys(of)) {
      const key = JSON.stringify(cause);
      const change = this.#jobs.get(key) ?? { of: cause, by: 0 };
      change.by += by;
      this.#jobs.set(key, change);
    }
  }

  async write(session: Session, schema: string): Promise<void> {
    if (this.#added.size > 0) await this.#writeAdded(session, schema);
    const changes = [...this.#jobs.values()].filter(({ by }) => by !== 0);
    if (changes.length === 0) return;
    const [fingerprint, queue, name] = [0, 1, 2].map((at) => changes.map(({ of }) => of[at]));
    await session.query(
      `update ${schema}.cause set jobs = jobs + change.by from unnest($1::text[], $2::text[], $3::text[], $4::double precision[]) as change (fingerprint, queue, name, by) where cause.fingerprint = change.fingerprint and cause.queue = change.queue and cause.name = change.name`,
      [fingerprint, queue, name, changes.map(({ by }) => by)],
    );
  }

  async #writeAdded(session: Session, schema: string): Promise<void> {
    const latest = (name: string): string =>
      `${name} = case when excluded.last_at >= cause.last_at then excluded.${name} else cause.${name} end`;
    const rows = await session.query(
      `insert into ${schema}.cause (${CAUSE.join(", ")}, jobs)
       select ${CAUSE.join(", ")}, 0 from json_to_recordset($1::json) as row (${CAUSE_TYPES})
       on conflict (fingerprint, queue, name) do update set
         ${["message", "last_id", "last_trace_id"].map(latest).join(", ")},
         first_at = case when cause.failures <= 0 then excluded.first_at else least(cause.first_at, excluded.first_at) end,
         last_at = greatest(cause.last_at, excluded.last_at),
         failures = cause.failures + excluded.failures,
         died = cause.died + excluded.died
       returning key, fingerprint, queue, name`,
      [storableJson([...this.#added.values()].map(({ cause }) => cause))],
    );
    const keys = new Map(
      rows.map((row) => [
        JSON.stringify([row["fingerprint"], row["queue"], row["name"]]),
        String(row["key"]),
      ]),
    );
    const failed = [...this.#added].flatMap(([of, { failed: counts }]) =>
      [...counts.values()].map((count) => ({ cause: keys.get(of), ...count })),
    );
    await session.query(
      `insert into ${schema}.failed (cause, hour, node, failures, died)
       select cause, hour, node, failures, died from json_to_recordset($1::json) as row (cause bigint, hour double precision, node text, failures double precision, died double precision)
       on conflict (cause, hour, node) do update set failures = failed.failures + excluded.failures, died = failed.died + excluded.died`,
      [storableJson(failed)],
    );
  }
}

/** Of which causes a job is one. */
function causeKeys(of: CausesOf): readonly (readonly [string, string, string])[] {
  return causesOfRow(of).map(
    (fingerprint) => [fingerprint, storable(of.queue), storable(of.name)] as const,
  );
}

/** Attempts that failed in earlier hours. */
export async function forgetCauses(
  session: Session,
  schema: string,
  before: number,
): Promise<void> {
  const hour = Math.floor(before / HOUR_MS);
  await session.query(
    `with lost as (
       delete from ${schema}.failed where hour < $1 returning cause, failures, died
     ), sums as (
       select cause as of, sum(failures) as failures, sum(died) as died from lost group by cause
     )
     update ${schema}.cause set failures = cause.failures - sums.failures, died = cause.died - sums.died,
       first_at = greatest(first_at, $2) from sums where of = key`,
    [hour, hour * HOUR_MS],
  );
  await session.query(`delete from ${schema}.cause where failures <= 0 and jobs <= 0`);
}

/**
 * Those of which most failed come first.
 *
 * @param session a transaction: all pages are of one moment
 */
export async function listCauses(
  session: Session,
  schema: string,
  { queue, where, fingerprints, limit, now }: AskedFailures,
): Promise<readonly FailureGroup[]> {
  const fits = where === undefined ? () => true : filterTest(readFilter(where), now, CAUSE_FIELDS);
  const found: FailureGroup[] = [];
  await session.query("set transaction isolation level repeatable read");
  for (let after = 0; found.length < limit; after += CAUSE_PAGE) {
    const rows = await session.query(
      `select * from ${schema}.cause where failures > 0 and ($1::text is null or queue = $1) and ($2::text[] is null or fingerprint = any ($2))
       order by failures desc, last_at desc, key limit $3 offset $4`,
      [
        queue === undefined ? null : storable(queue),
        fingerprints?.map(storable) ?? null,
        CAUSE_PAGE,
        after,
      ],
    );
    const failed = await session.query(
      `select cause, hour, node, failures, died from ${schema}.failed where cause = any ($1::bigint[])`,
      [rows.map(({ key }) => key)],
    );
    const byCause = Map.groupBy(failed, ({ cause }: Row) => String(cause));
    for (const row of rows) {
      const of = row as unknown as CauseRow;
      const over = new FailedOver(
        () => (byCause.get(String(row["key"])) ?? []) as unknown as readonly FailedRow[],
      );
      if (found.length < limit && fits({ ...of, nodes: () => over.nodes }))
        found.push(groupOf(of, over));
    }
    if (rows.length < CAUSE_PAGE) break;
  }
  return found;
}
