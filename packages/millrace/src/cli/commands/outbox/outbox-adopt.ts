import { MillraceError } from "@millrace/core";
import { type AdoptedTable, adoptTableSql, type ColumnOr } from "@millrace/outbox";
import { flag, text } from "../../../config/field-kinds.ts";
import { withOutbox } from "../../../outbox/configured-outbox.ts";
import { command } from "../../command.ts";

export const outboxAdopt = command({
  name: "outbox adopt",
  summary: "Make each row of a table of your own a job, from now on (PostgreSQL)",
  usage: "TABLE",
  args: { min: 1, max: 1 },
  flags: {
    "payload-column": { kind: text, about: "Its column of the input, JSON" },
    "to-queue": { kind: text, about: "The queue of every row" },
    "queue-column": { kind: text, about: "Its column of the queue, instead" },
    job: { kind: text, about: "The job's name for every row" },
    "name-column": { kind: text, about: "Its column of the job's name, instead" },
    "id-column": { kind: text, about: "Its column of the job's id; default: a UUID for each row" },
    "headers-column": { kind: text, about: "Its column of the job's headers, a JSON object" },
    "delete-rows": { kind: flag, about: "Remove each row once it is a job" },
    existing: { kind: text, about: "Take these rows too that are there: a condition in SQL" },
    print: { kind: flag, about: "Print the SQL and change nothing" },
  },
  fields: ["outbox"],
  examples: [
    [
      "millrace outbox adopt events --payload-column data --name-column type --to-queue events --id-column id",
      "Rows of an outbox of your own",
    ],
  ],
  async run({ args: [table = ""], flags, config }) {
    const adopted: AdoptedTable = {
      table,
      queue: oneOf(flags["to-queue"], flags["queue-column"], "--to-queue", "--queue-column"),
      name: oneOf(flags.job, flags["name-column"], "--job", "--name-column"),
      payload: flags["payload-column"] ?? missing("--payload-column"),
      ...(flags["id-column"] === undefined ? {} : { id: flags["id-column"] }),
      ...(flags["headers-column"] === undefined ? {} : { headers: flags["headers-column"] }),
      ...(flags.existing === undefined ? {} : { existing: flags.existing }),
      deleteRows: flags["delete-rows"] === true,
    };
    const sql = adoptTableSql(adopted);
    if (flags.print === true) return { json: { sql }, text: () => sql };
    await withOutbox(config, async (store) => {
      if (store.adopt === undefined)
        throw new MillraceError(
          "invalid-option",
          "Only an outbox in PostgreSQL can adopt a table. Set MILLRACE_OUTBOX_POSTGRES.",
        );
      await store.adopt(adopted);
    });
    return { json: { adopted: table }, text: () => `each new row of ${table} is a job\n` };
  },
});

function oneOf(
  value: string | undefined,
  column: string | undefined,
  ofAll: string,
  ofEach: string,
): ColumnOr {
  if (value !== undefined && column === undefined) return { value };
  if (column !== undefined && value === undefined) return { column };
  return missing(`one of ${ofAll} and ${ofEach}`);
}

function missing(what: string): never {
  throw new MillraceError("invalid-option", `Give ${what}: see millrace outbox adopt --help.`);
}
