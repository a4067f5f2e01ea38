import { formatMs, type LockView, type LockWaiter, orWhereDenied } from "@millrace/core";
import type { Millrace } from "../../../client/millrace.ts";
import { text } from "../../../config/field-kinds.ts";
import { command } from "../../command.ts";
import { type Column, table } from "../../show/table.ts";
import { withClient } from "../../with-client.ts";

/** Undefined where this user may not hear who waits. */
interface ShownLock extends LockView {
  readonly waiting: readonly LockWaiter[] | undefined;
}

const COLUMNS: readonly Column<ShownLock>[] = [
  { title: "NAME", cell: ({ name }) => name },
  { title: "HOLDER", cell: ({ holder }) => holder },
  { title: "TOKEN", align: "right", cell: ({ token }) => String(token) },
  {
    title: "SINCE",
    cell: ({ since }) => (since === undefined ? "-" : new Date(since).toISOString()),
  },
  { title: "LEASE", align: "right", cell: ({ leaseMs }) => formatMs(leaseMs) },
  { title: "LEFT", align: "right", cell: ({ leftMs }) => formatMs(leftMs) },
  {
    title: "WAITING",
    align: "right",
    cell: ({ waiting }) => (waiting === undefined ? "?" : String(waiting.length)),
  },
];

export const locksList = command({
  name: "locks list",
  summary: "List the locks that are held, with their holders and who waits for them",
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
    const query = flags.prefix === undefined ? {} : { prefix: flags.prefix };
    const held = await withClient(config, ({ locks }) => shown(locks, query));
    return {
      json: held.map(({ name, holder, token, since, leaseMs, leftMs, waiting }) => ({
        ...{ name, holder, token, since, leaseMs, leftMs },
        ...(waiting && {
          waiting: waiting.map((one) => ({ holder: one.holder, since: one.since })),
        }),
      })),
      text: (paint) => (held.length === 0 ? "no locks are held\n" : table(COLUMNS, held, paint)),
    };
  },
});

async function shown(
  locks: Millrace["locks"],
  query: { readonly prefix?: string },
): Promise<readonly ShownLock[]> {
  const [held, waiting] = await Promise.all([
    locks.list(query),
    orWhereDenied(undefined, async () =>
      Map.groupBy(await locks.waiting(query), ({ name }) => name),
    ),
  ]);
  return held.map((lock) => ({ ...lock, waiting: waiting && (waiting.get(lock.name) ?? []) }));
}
