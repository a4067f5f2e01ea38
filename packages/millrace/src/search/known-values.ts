import type { StatementSync } from "node:sqlite";
import type { KnownValues } from "../filter/complete-filter.ts";
import { leavesOf } from "./index-rows.ts";

const MOST = 200;
const RECENT = "(select * from job order by at desc limit 5000)";

/** What stands in the fields of the latest jobs. */
export function knownValues(prepare: (sql: string) => StatementSync): KnownValues {
  const valuesOf = (what: string, from: string): readonly string[] =>
    prepare(
      `select distinct ${what} as value from ${from} where value is not null order by 1 limit ${MOST}`,
    )
      .all()
      .map((row) => String(row["value"]));
  const payloads = prepare(`select payload from ${RECENT} where payload is not null`).iterate();
  return {
    name: valuesOf("name", RECENT),
    queue: valuesOf("queue", RECENT),
    node: valuesOf("node", RECENT),
    error: valuesOf("error_type", RECENT),
    tag: valuesOf("tag.value", `${RECENT}, json_each(tags) as tag`),
    payload: pathsIn(payloads),
  };
}

function pathsIn(rows: Iterable<Readonly<Record<string, unknown>>>): readonly string[] {
  const paths = new Set<string>();
  for (const { payload } of rows) for (const { path } of leavesOf(String(payload))) paths.add(path);
  paths.delete("");
  return [...paths].toSorted().slice(0, MOST);
}
