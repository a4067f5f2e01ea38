import { MYSQL_SCHEMA, POSTGRES_SCHEMA, SQLITE_SCHEMA } from "@millrace/outbox";
import type { Config } from "../../../config/fields.ts";
import { flag } from "../../../config/field-kinds.ts";
import { withOutbox } from "../../../outbox/configured-outbox.ts";
import { command } from "../../command.ts";

export const outboxMigrate = command({
  name: "outbox migrate",
  summary: "Make the tables of the outbox, or print the SQL that does; may be run again and again",
  usage: "",
  args: { min: 0, max: 0 },
  flags: { print: { kind: flag, about: "Print the SQL and change nothing" } },
  fields: ["outbox"],
  examples: [
    ["millrace outbox migrate --outbox-sqlite shop.db", "In a SQLite database"],
    ["millrace outbox migrate --print > outbox.sql", "For a migration tool, for PostgreSQL"],
  ],
  async run({ flags, config }) {
    if (flags.print === true) {
      const sql = schemaOf(config);
      return { json: { sql }, text: () => sql };
    }
    await withOutbox(config, (store) => store.migrate());
    return { json: { migrated: true }, text: () => "the outbox has its tables\n" };
  },
});

function schemaOf({ outboxSqlite, outboxMysql }: Config): string {
  if (outboxSqlite !== undefined) return SQLITE_SCHEMA;
  return outboxMysql === undefined ? POSTGRES_SCHEMA : MYSQL_SCHEMA;
}
