import { storable } from "@millrace/core";
import { DELETED_TOGETHER, HEARD_SHARE, ROOM } from "../index-bounds.ts";
import { CauseCounts, forgetCauses } from "./cause-counts.ts";
import { deleteJobs, type Grown } from "./job-rows.ts";
import type { Session } from "./postgres-database.ts";
import type { IndexState } from "./postgres-lease.ts";
import { ANY_SCHEMA } from "./postgres-schema.ts";
import { forgetRates } from "./rate-counts.ts";

/** Of what was heard, which may be large. */
const HEARD_PAGE = 100;
/** An index that nobody has kept for so long is of an earlier version, or of other secrets. */
const LEFT = "interval '1 hour'";

const NOTHING: Grown = { jobs: 0, bytes: 0, heardBytes: 0 };

/** Something that is done by the keeper, in a transaction of its own. */
export type Act = (session: Session) => Promise<Grown>;

/** What the keeper of an index may do. */
export interface Keeper {
  change(act: Act): Promise<Grown>;
  /** What the index comes to. */
  look(): Promise<IndexState>;
}

/** What lay in a queue, has no record, and lies there no more. */
export async function dropGone(
  schema: string,
  {
    queue,
    oldest,
    newest,
  }: { readonly queue: string; readonly oldest: number; readonly newest: number },
  keeping: (act: Act) => Promise<Grown>,
): Promise<void> {
  const which = {
    sql: "where queue = $1 and state = 'queued' and (arrival < $2 or arrival > $3) limit $4",
    values: [storable(queue), oldest, newest, DELETED_TOGETHER],
  };
  while (
    (await keeping((session) => deleteThese(session, schema, which))).jobs === -DELETED_TOGETHER
  );
}

async function deleteThese(
  session: Session,
  schema: string,
  which: { readonly sql: string; readonly values: readonly unknown[] },
): Promise<Grown> {
  const causes = new CauseCounts();
  const grown = await deleteJobs(session, schema, causes, which);
  await causes.write(session, schema);
  return grown;
}

/** Deletes what is older, and then the oldest while there is too much. */
export async function prune(
  {
    schema,
    maxBytes,
    before,
    heardBefore,
  }: {
    readonly schema: string;
    readonly maxBytes: number;
    readonly before: number;
    readonly heardBefore: number;
  },
  { change, look }: Keeper,
): Promise<void> {
  const oldHeard = {
    sql: `where key in (select key from ${schema}.heard where at < $1 limit $2)`,
    values: [heardBefore, DELETED_TOGETHER],
  };
  const forgetOldHeard: Act = async (session) => ({
    ...NOTHING,
    heardBytes: await forgetHeard(session, schema, oldHeard),
  });
  while ((await change(forgetOldHeard)).heardBytes < 0);
  await change(async (session) => {
    await forgetRates(session, schema, before);
    await forgetCauses(session, schema, before);
    return NOTHING;
  });
  const oldest = (most: number, than: number) =>
    change((session) =>
      deleteThese(session, schema, {
        sql: "where at < $1 order by at limit $2",
        values: [than, most],
      }),
    );
  while ((await oldest(DELETED_TOGETHER, before)).jobs === -DELETED_TOGETHER);
  for (let isFull = true; isFull;) {
    let state = await look();
    const tooMuch = state.bytes + state.heardBytes - maxBytes;
    const heardMost = Math.max(0, Math.min(HEARD_SHARE * maxBytes, state.heardBytes - tooMuch));
    while (
      state.heardBytes > heardMost &&
      (await change((session) => shrinkHeard(session, schema))).heardBytes < 0
    )
      state = await look();
    isFull = state.bytes + state.heardBytes > maxBytes && state.jobs > 0;
    if (!isFull) break;
    const part = 1 - (ROOM * maxBytes - state.heardBytes) / state.bytes;
    for (let left = Math.ceil(state.jobs * Math.min(1, part)); left > 0; left -= DELETED_TOGETHER)
      await oldest(Math.min(DELETED_TOGETHER, left), Number.MAX_SAFE_INTEGER);
    // Messages that never repeat make a cause each: they go with their jobs.
    await change(async (session) => {
      const [row] = await session.query(`select min(at) as oldest from ${schema}.job`);
      const from = row?.["oldest"];
      await forgetCauses(
        session,
        schema,
        typeof from === "number" ? from : Number.MAX_SAFE_INTEGER,
      );
      return NOTHING;
    });
  }
  await change((session) => dropLeft(session, schema));
}

/** What was heard takes no more than its part: the oldest of it goes. */
export async function boundHeard(
  session: Session,
  schema: string,
  heardBytes: number,
  maxBytes: number,
): Promise<number> {
  let gone = 0;
  while (heardBytes + gone > HEARD_SHARE * maxBytes) {
    const bytes = await forgetOldestHeard(session, schema);
    if (bytes === 0) break;
    gone += bytes;
  }
  return gone;
}

/** The oldest of what was heard. */
async function shrinkHeard(session: Session, schema: string): Promise<Grown> {
  return { ...NOTHING, heardBytes: await forgetOldestHeard(session, schema) };
}

function forgetOldestHeard(session: Session, schema: string): Promise<number> {
  return forgetHeard(session, schema, {
    sql: `where key in (select key from ${schema}.heard order by key limit $1)`,
    values: [HEARD_PAGE],
  });
}

async function forgetHeard(
  session: Session,
  schema: string,
  which: { readonly sql: string; readonly values: readonly unknown[] },
): Promise<number> {
  const rows = await session.query(
    `delete from ${schema}.heard ${which.sql} returning size`,
    which.values,
  );
  return -rows.reduce((sum, { size }) => sum + Number(size), 0);
}

/** Indexes of the same fleet that nobody has kept for a while. */
async function dropLeft(session: Session, schema: string): Promise<Grown> {
  const others = await session.query(
    `select quote_ident(nspname) as schema from pg_namespace where nspname like $1 and nspname <> $2 and pg_get_userbyid(nspowner) = current_user and to_regclass(quote_ident(nspname) || '.state') is not null`,
    [ANY_SCHEMA, schema],
  );
  for (const { schema: other } of others) {
    const left = await session.query(
      `select one from ${String(other)}.state where kept_until < clock_timestamp() - ${LEFT} and namespace = (select namespace from ${schema}.state) for update skip locked`,
    );
    if (left.length > 0) await session.query(`drop schema ${String(other)} cascade`);
  }
  return NOTHING;
}
