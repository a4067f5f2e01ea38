import {
  checkStored,
  type DocumentStore,
  type MachineDefinition,
  machineKey,
  MACHINES_BUCKET,
  migrateStored,
  MillraceError,
  type RecordedError,
  someAtATime,
} from "@millrace/core";
import { shownError, showValue, type ShowValue } from "@millrace/telemetry/masking";
import { audited, type AuditHost } from "../../../client/audit.ts";
import { eachMachine } from "../../../client/machines/list-machines.ts";
import { flag } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { loadMachines } from "../../../node/load-jobs.ts";
import { command } from "../../command.ts";
import { ASKS_FIRST, confirmed } from "../../confirm.ts";
import { EXIT } from "../../exit-codes.ts";
import type { Paint } from "../../io.ts";
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

export const machinesMigrate = command({
  name: "machines migrate",
  summary:
    "Store each active machine as the version of its chart that these files export has it. With --check, try that before you deploy them, and change nothing. Asks first where there is a person to ask",
  usage: "FILE…",
  args: { min: 1, max: 1_000 },
  flags: {
    check: {
      kind: flag,
      about:
        "Change nothing: say how many would be migrated, and which could not go on, also of those that need no migration",
    },
    yes: { kind: flag, about: ASKS_FIRST },
  },
  fields: ["connection", "namespace", "masking"],
  examples: [
    ["millrace machines migrate order.ts --check", "Whether each stored order could go on"],
    ["millrace machines migrate order.ts --yes", "Once no node has the older version any more"],
  ],
  async run({ args, flags, config, io }) {
    const found = await loadMachines(args, io.cwd);
    if (found.length === 0)
      throw new MillraceError("no-jobs", `No file in ${args.join(", ")} exports a machine.`);
    const show = showValue(false, maskOf(config));
    const byName = new Map(found.map((one) => [one.name, one]));
    return withClient(config, async (client) => {
      const machines = await client.broker.documents(MACHINES_BUCKET, { look: true });
      const tried = await tryAll(byName, machines);
      const { checked, older } = tried;
      const failed = tried.failed.map((one) => shown(one, show));
      if (flags.check === true) {
        const json = { checked, migrated: older.length, busy: 0, failed };
        const summary = `${checked} active machines could be tried, ${older.length} would be migrated, ${failed.length} could not go on\n`;
        return { json, ...told(summary, failed) };
      }
      const question = `${older.length} of ${checked} active machines will be stored as a newer version of their chart, and nodes with an older one take nothing for them any more. Migrate them?`;
      if (older.length > 0 && !(await confirmed(io, flags.yes, question)))
        return {
          json: { checked, migrated: 0, busy: 0, failed },
          text: () => "nothing was migrated\n",
          exitCode: EXIT.failed,
        };
      const done = await migrateAll(client, byName, older);
      const all = [...failed, ...done.failed.map((one) => shown(one, show))];
      const summary = `${checked} active machines were looked at, ${done.migrated} were migrated, ${done.busy} were busy and are migrated by what comes to them next, ${all.length} could not go on\n`;
      const json = { checked, migrated: done.migrated, busy: done.busy, failed: all };
      return { json, ...told(summary, all) };
    });
  },
});

function told(summary: string, failed: readonly Failure[]) {
  return {
    text: (paint: Paint) =>
      (failed.length === 0 ? "" : `${table(COLUMNS, failed, paint)}\n`) + summary,
    exitCode: failed.length === 0 ? EXIT.ok : EXIT.failed,
  };
}

/** What a chart's own code throws may quote a secret. */
function shown(failure: Failure, show: ShowValue): Failure {
  return { ...failure, error: shownError(failure.error, show) };
}

/** A machine of an older version, as it was seen. */
type Older = Omit<Failure, "error">;

async function tryAll(byName: ReadonlyMap<string, MachineDefinition>, documents: DocumentStore) {
  /** By its key: one that changes meanwhile is tried once more. */
  const tried = new Map<string, Older | undefined>();
  const failed = new Map<string, Failure>();
  for (const definition of byName.values())
    for await (const document of eachMachine(documents, definition.name)) {
      const key = machineKey(document);
      tried.delete(key);
      failed.delete(key);
      if (document.status !== "active") continue;
      const { isMigrated, error } = checkStored(definition, document);
      const { machine, id, version, value } = document;
      const one = { machine, id, version, value };
      tried.set(key, isMigrated && error === undefined ? one : undefined);
      if (error !== undefined) failed.set(key, { ...one, error });
    }
  const older = [...tried.values()].filter((one) => one !== undefined);
  return { checked: tried.size, older, failed: [...failed.values()] };
}

async function migrateAll(
  client: AuditHost,
  byName: ReadonlyMap<string, MachineDefinition>,
  older: readonly Older[],
) {
  let [migrated, busy] = [0, 0];
  const failed: Failure[] = [];
  const migrate = async (one: Older): Promise<void> => {
    const definition = byName.get(one.machine);
    if (definition === undefined) return;
    const done = await migrateStored(client.broker, definition, one);
    if (done.state === "migrated") migrated += 1;
    if (done.state === "busy") busy += 1;
    if (done.state === "failed") failed.push({ ...one, error: done.error });
  };
  if (older.length > 0) {
    const machines = [...new Set(older.map(({ machine }) => machine))];
    const intent = { action: "machines migrate", filter: { machines } };
    const act = async (): Promise<void> => void (await someAtATime(older, migrate));
    await audited(client, intent, act, () => ({ count: migrated, failed: failed.length }));
  }
  return { migrated, busy, failed };
}
