import { MillraceError } from "@millrace/core";
import { type OutboxStore, postgresOutbox, sqliteOutbox } from "@millrace/outbox";
import type { Config } from "../config/fields.ts";

/** The outbox that the configuration names; undefined where it names none. */
export function configuredOutbox({
  outboxPostgres,
  outboxSqlite,
}: Config): OutboxStore | undefined {
  if (outboxPostgres !== undefined && outboxSqlite !== undefined)
    throw new MillraceError(
      "invalid-option",
      "outboxPostgres and outboxSqlite name two outboxes: give one of them.",
    );
  if (outboxPostgres !== undefined) return postgresOutbox({ url: outboxPostgres });
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
  const store = requireOutbox(config);
  try {
    return await act(store);
  } finally {
    await store.close();
  }
}

/** @throws MillraceError `invalid-option` where the configuration names none */
export function requireOutbox(config: Config): OutboxStore {
  const store = configuredOutbox(config);
  if (store !== undefined) return store;
  throw new MillraceError(
    "invalid-option",
    "No outbox is configured. Set MILLRACE_OUTBOX_POSTGRES to the URL of its PostgreSQL database, or give --outbox-sqlite with a file.",
  );
}
