import { MillraceError } from "@millrace/core";
import {
  ndjsonRecords,
  postgresRecords,
  type RecordHandler,
  sqliteRecords,
} from "@millrace/telemetry/records";
import { type Config, FIELDS } from "../config/fields.ts";

/** Where execution records may be kept, the most able for queries first. */
export const RECORD_STORES = ["postgres", "sqlite", "file"] as const;
export type RecordStore = (typeof RECORD_STORES)[number];

/** The field that says where each of them is. */
const FIELD = {
  postgres: "recordsPostgres",
  sqlite: "recordsSqlite",
  file: "recordsDir",
} as const satisfies Record<RecordStore, keyof Config>;

/** What the configuration asks for, in the order of `RECORD_STORES`. */
export function configuredStores(config: Config): readonly RecordStore[] {
  return RECORD_STORES.filter((store) => config[FIELD[store]] !== undefined);
}

/** @throws MillraceError `invalid-option` where the configuration doesn't say where that is */
export function openStore(store: RecordStore, config: Config): RecordHandler {
  const place = config[FIELD[store]];
  if (place === undefined)
    throw new MillraceError(
      "invalid-option",
      `Records can't come from ${store} without ${FIELD[store]} (${FIELDS[FIELD[store]].env[0]}).`,
    );
  const keepMs = config.recordsKeepMs;
  switch (store) {
    case "postgres":
      return postgresRecords({ url: place, keepMs });
    case "sqlite":
      return sqliteRecords({ path: place, keepMs });
    case "file":
      return ndjsonRecords({ dir: place, keepMs });
  }
}
