import type { DatabaseSync } from "node:sqlite";
import { SCHEMA_VERSION } from "./index-schema.ts";

/** What an index says of itself; undefined, too, where it was not made to its end. */
export function metaOf(database: DatabaseSync, name: string): string | undefined {
  const there = database.prepare("select 1 from sqlite_schema where name = 'meta'").get();
  if (there === undefined) return undefined;
  const row = database.prepare("select value from meta where name = ?").get(name);
  return row === undefined ? undefined : String(row["value"]);
}

export function setMeta(database: DatabaseSync, name: string, value: string): void {
  database.prepare("insert or replace into meta (name, value) values (?, ?)").run(name, value);
}

/** Whether it is an index of that, in this version. */
export function isOf(database: DatabaseSync, identity: string): boolean {
  return (
    metaOf(database, "version") === SCHEMA_VERSION && metaOf(database, "identity") === identity
  );
}

export function setIdentity(database: DatabaseSync, identity: string): void {
  setMeta(database, "version", SCHEMA_VERSION);
  setMeta(database, "identity", identity);
}
