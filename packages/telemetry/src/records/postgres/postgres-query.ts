import type { RecordQuery } from "../record-handler.ts";

export interface Statement {
  readonly text: string;
  readonly values: unknown[];
}

export function selectFrom(table: string, query: RecordQuery): Statement {
  const values: unknown[] = [];
  const conditions: string[] = [];
  const where = (condition: (parameter: string) => string, value: unknown): void => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  where((p) => `job_id = ${p}`, query.id);
  where((p) => `name = ${p}`, query.name);
  where((p) => `queue = ${p}`, query.queue);
  where((p) => `outcome = ${p}`, query.outcome);
  where((p) => `state = ${p}`, query.state);
  where((p) => `at >= to_timestamp(${p}::double precision / 1000)`, query.since);
  values.push(query.limit);
  const filter = conditions.length === 0 ? "" : ` where ${conditions.join(" and ")}`;
  return {
    text: `select record from ${table}${filter} order by at desc, attempt desc limit $${values.length}`,
    values,
  };
}
