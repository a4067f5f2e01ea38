import type { StatementSync } from "node:sqlite";
import type { KnownValues } from "../../filter/complete-filter.ts";

const MOST = 200;
const RECENT = "(select * from job order by at desc limit 5000)";

/** From each path to the next in the tree, so that neither payloads nor all leaves are read. */
const PATHS = `
  with recursive found(path) as (
    select min(path) from leaf where path > ''
    union all
    select (select min(path) from leaf where path > found.path) from found where path is not null
  )
  select path from found where path is not null limit ?`;

/** What stands in the fields of the latest jobs; the fields of payloads are all jobs'. */
export function knownValues(prepare: (sql: string) => StatementSync): KnownValues {
  const valuesOf = (what: string, from: string): readonly string[] =>
    prepare(
      `select distinct ${what} as value from ${from} where value is not null order by 1 limit ${MOST}`,
    )
      .all()
      .map((row) => String(row["value"]));
  return {
    name: valuesOf("name", RECENT),
    queue: valuesOf("queue", RECENT),
    node: valuesOf("node", RECENT),
    error: valuesOf("error_type", RECENT),
    tag: valuesOf("tag.value", `${RECENT}, json_each(tags) as tag`),
    payload: prepare(PATHS)
      .all(MOST)
      .map((row) => String(row["path"])),
  };
}
