import { formatMs, type LockView } from "@millrace/core";
import { text } from "../../../config/field-kinds.ts";
import { command } from "../../command.ts";
import { type Column, table } from "../../show/table.ts";
import { withClient } from "../../with-client.ts";

const COLUMNS: readonly Column<LockView>[] = [
  { title: "NAME", cell: ({ name }) => name },
  { title: "HOLDER", cell: ({ holder }) => holder },
  { title: "TOKEN", align: "right", cell: ({ token }) => String(token) },
  {
    title: "SINCE",
    cell: ({ since }) => (since === undefined ? "-" : new Date(since).toISOString()),
  },
  { title: "LEASE", align: "right", cell: ({ leaseMs }) => formatMs(leaseMs) },
  { title: "LEFT", align: "right", cell: ({ leftMs }) => formatMs(leftMs) },
];

export const locksList = command({
  name: "locks list",
  summary: "List the locks that are held, with their holders and since when",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {
    prefix: {
      kind: { ...text, placeholder: "<prefix>" },
      about: "Only locks whose name begins so: user/ for those of millrace.lock",
    },
  },
  fields: ["connection", "namespace"],
  examples: [["millrace locks list --prefix user/", "Locks that applications hold"]],
  async run({ flags, config }) {
    const held = await withClient(config, ({ locks }) =>
      locks.list(flags.prefix === undefined ? {} : { prefix: flags.prefix }),
    );
    return {
      json: held.map(({ name, holder, token, since, leaseMs, leftMs }) => ({
        ...{ name, holder, token, since, leaseMs, leftMs },
      })),
      text: (paint) => (held.length === 0 ? "no locks are held\n" : table(COLUMNS, held, paint)),
    };
  },
});
