import type { KnownValues } from "../../filter/complete-filter.ts";
import type { Session } from "./postgres-database.ts";

const MOST = 200;
const RECENT = 5_000;

/** What stands in the fields of the latest jobs. */
export async function knownOf(session: Session, schema: string): Promise<KnownValues> {
  const recent = `(select * from ${schema}.job order by at desc, key desc limit ${RECENT}) as recent`;
  const valuesOf = async (what: string, most = MOST): Promise<readonly string[]> => {
    const rows = await session.query(
      `select distinct value from (select ${what} as value from ${recent}) as found where value is not null order by value limit ${most}`,
    );
    return rows.map(({ value }) => String(value));
  };
  const tags = (await valuesOf("tags", RECENT)).flatMap(
    (list) => JSON.parse(list) as readonly string[],
  );
  return {
    name: await valuesOf("name"),
    queue: await valuesOf("queue"),
    node: await valuesOf("node"),
    error: await valuesOf("error_type"),
    tag: [...new Set(tags)].toSorted().slice(0, MOST),
    payload: await valuesOf("unnest(paths)"),
  };
}
