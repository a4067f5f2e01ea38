import { MillraceError } from "@millrace/core";
import type { OutboxStore } from "@millrace/outbox";
import type { Config } from "../config/fields.ts";

/**
 * The outbox that the configuration names; undefined where it names none. Most name none, and do
 * without its code.
 */
export async function configuredOutbox({
  outboxPostgres,
  outboxMysql,
  outboxSqlite,
}: Config): Promise<OutboxStore | undefined> {
  const named = [outboxPostgres, outboxMysql, outboxSqlite].filter((one) => one !== undefined);
  if (named.length > 1)
    throw new MillraceError(
      "invalid-option",
      "outboxPostgres, outboxMysql and outboxSqlite name several outboxes: give one of them.",
    );
  if (named.length === 0) return undefined;
  const { mysqlOutbox, postgresOutbox, sqliteOutbox } = await import("@millrace/outbox");
  if (outboxPostgres !== undefined) return postgresOutbox({ url: outboxPostgres });
  if (outboxMysql !== undefined) return mysqlOutbox({ url: outboxMysql });
  return outboxSqlite === undefined ? undefined : sqliteOutbox({ path: outboxSqlite });
}

/**
 * For commands that are about the outbox.
 *
 * @throws MillraceError `invalid-option` where the configuration names none
 */
export async function withOutbox<Result>(
  config: Config,
  act: (store: OutboxStore) => Promise<Result>,
): Promise<Result> {
  const store = await requireOutbox(config);
  try {
    return await act(store);
  } finally {
    await store.close();
  }
}

/** @throws MillraceError `invalid-option` where the configuration names none */
export async function requireOutbox(config: Config): Promise<OutboxStore> {
  const store = await configuredOutbox(config);
  if (store !== undefined) return store;
  throw new MillraceError(
    "invalid-option",
    "No outbox is configured. Set MILLRACE_OUTBOX_POSTGRES or MILLRACE_OUTBOX_MYSQL to the URL of its database, or give --outbox-sqlite with a file.",
  );
}
