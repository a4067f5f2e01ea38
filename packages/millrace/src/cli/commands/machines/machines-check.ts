import {
  checkStored,
  type DocumentStore,
  machineKey,
  type MachineDefinition,
  MACHINES_BUCKET,
  MillraceError,
  type RecordedError,
} from "@millrace/core";
import { eachMachine } from "../../../client/machines/list-machines.ts";
import { loadMachines } from "../../../node/load-jobs.ts";
import { command } from "../../command.ts";
import { EXIT } from "../../exit-codes.ts";
import { type Column, table } from "../../show/table.ts";
import { withClient } from "../../with-client.ts";
import { stateText } from "./machines-list.ts";

interface Failure {
  readonly machine: string;
  readonly id: string;
  readonly version: number;
  readonly value: unknown;
  readonly error: RecordedError;
}

const COLUMNS: readonly Column<Failure>[] = [
  { title: "MACHINE", cell: ({ machine }) => machine },
  { title: "ID", cell: ({ id }) => id },
  { title: "VERSION", align: "right", cell: ({ version }) => String(version) },
  { title: "STATE", cell: ({ value }) => stateText(value) },
  { title: "WHY", cell: ({ error }) => error.message },
];

export const machinesCheck = command({
  name: "machines check",
  summary:
    "Try the machines that these files export on all that are stored and active, before you deploy them; nothing is changed",
  usage: "FILE…",
  args: { min: 1, max: 1_000 },
  flags: {},
  fields: ["connection", "namespace"],
  examples: [["millrace machines check order.ts", "Whether each stored order could go on"]],
  async run({ args, config, io }) {
    const found = await loadMachines(args, io.cwd);
    if (found.length === 0)
      throw new MillraceError("no-jobs", `No file in ${args.join(", ")} exports a machine.`);
    const byName = new Map(found.map((one) => [one.name, one]));
    const result = await withClient(config, async ({ broker }) => {
      const documents = await broker.documents(MACHINES_BUCKET);
      return checkAll(byName, documents);
    });
    const { checked, migrated, failed } = result;
    const summary = `${checked} active machines could be tried, ${migrated} would be migrated, ${failed.length} could not go on\n`;
    return {
      json: result,
      text: (paint) => (failed.length === 0 ? "" : `${table(COLUMNS, failed, paint)}\n`) + summary,
      exitCode: failed.length === 0 ? EXIT.ok : EXIT.failed,
    };
  },
});

async function checkAll(byName: ReadonlyMap<string, MachineDefinition>, documents: DocumentStore) {
  /** By its key: one that changes meanwhile is tried once more. */
  const tried = new Map<string, boolean>();
  const failed = new Map<string, Failure>();
  for (const definition of byName.values())
    for await (const document of eachMachine(documents, definition.name)) {
      const key = machineKey(document);
      tried.delete(key);
      failed.delete(key);
      if (document.status !== "active") continue;
      const { isMigrated, error } = checkStored(definition, document);
      tried.set(key, isMigrated && error === undefined);
      const { machine, id, version, value } = document;
      if (error !== undefined) failed.set(key, { machine, id, version, value, error });
    }
  const migrated = [...tried.values()].filter(Boolean).length;
  return { checked: tried.size, migrated, failed: [...failed.values()] };
}
