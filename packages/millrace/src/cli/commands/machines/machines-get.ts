import {
  defined,
  type MachinePassage,
  MillraceError,
  type MachineSnapshot,
  someAtATime,
} from "@millrace/core";
import { showValue } from "@millrace/telemetry/masking";
import type { Millrace } from "../../../client/millrace.ts";
import { flag } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import type { Paint } from "../../io.ts";
import { isoTime } from "../../show/iso-time.ts";
import { shownMachine } from "../../show/machine.ts";
import { type Column, facts, table } from "../../show/table.ts";
import { traceWords } from "../../show/trace.ts";
import { withClient } from "../../with-client.ts";
import { stateText } from "./machines-list.ts";

type InvokedJob = MachineSnapshot["jobs"][string];

/** With the traces of the jobs that it waits for. */
interface Shown extends Omit<MachineSnapshot, "matches"> {
  readonly jobs: Readonly<Record<string, InvokedJob & { readonly traceId?: string }>>;
}

const WAY: readonly Column<MachinePassage>[] = [
  { title: "AT", cell: ({ at }) => new Date(at).toISOString() },
  { title: "EVENT", cell: ({ event }) => event },
  { title: "STATE", cell: ({ value }) => stateText(value) },
];

export const machinesGet = command({
  name: "machines get",
  summary: "Show one durable machine: its state, what it waits for, and the way it took",
  usage: "MACHINE ID",
  args: { min: 2, max: 2 },
  flags: {
    "show-payload": { kind: flag, about: "Show the context, output and errors as they are" },
  },
  fields: ["connection", "namespace", "masking", "tracing"],
  examples: [["millrace machines get order o-17", "Where the order o-17 stands"]],
  async run({ args: [machine = "", id = ""], flags, config }) {
    const { snapshot, jobs } = await withClient(config, async (client) => {
      const found = await client.machine(machine, id).snapshot();
      return { snapshot: found, jobs: await withTraces(client, found.jobs) };
    });
    const show = showValue(flags["show-payload"], maskOf(config));
    const shown: Shown = { ...shownMachine(snapshot, show), jobs };
    return { json: shown, text: (paint) => machineText(shown, paint, config.traceUrl) };
  },
});

async function withTraces(client: Millrace, jobs: MachineSnapshot["jobs"]): Promise<Shown["jobs"]> {
  return Object.fromEntries(
    await someAtATime(Object.entries(jobs), async ([actor, invoked]) => [
      actor,
      { ...invoked, ...defined({ traceId: await traceOf(client, invoked) }) },
    ]),
  );
}

/** None of a job that is not on record any more, or that may not be looked up. */
async function traceOf(client: Millrace, { job, queue }: InvokedJob): Promise<string | undefined> {
  try {
    return (await client.job(job, { queue })).traceId;
  } catch (error) {
    if (MillraceError.is(error)) return undefined;
    throw error;
  }
}

/** Of a timer, or the end of a job, that the chart could not take. */
function failedWords(failed: number | undefined): string {
  if (failed === undefined) return "";
  return `, failed ${failed === 1 ? "once" : `${failed} times`} so far`;
}

function machineText(shown: Shown, paint: Paint, traceUrl: string | undefined): string {
  const { machine, id, status, value, context, output, error, jobs, timers, trouble } = shown;
  const waits = [
    ...Object.entries(jobs).map(
      ([actor, { job, queue, traceId }]) =>
        `${actor}: job ${job} (${queue})${traceWords(traceId, traceUrl)}`,
    ),
    ...timers.map(
      ({ at, event, failed }) => `${event.type} at ${isoTime(at)}${failedWords(failed)}`,
    ),
  ];
  const rows: [string, string][] = [
    ["machine", `${machine} ${id}, version ${shown.version}`],
    ["state", `${stateText(value)} (${status})`],
    ["context", JSON.stringify(context)],
    ...(output === undefined ? [] : [["output", JSON.stringify(output)] as [string, string]]),
    ...(error === undefined
      ? []
      : [["error", `${error.type}: ${error.message}`] as [string, string]]),
    ...waits.map((wait): [string, string] => ["waits for", wait]),
    ...(trouble === undefined
      ? []
      : [
          [
            "trouble",
            `${trouble.event} at ${new Date(trouble.at).toISOString()}: ${trouble.error.type}: ${trouble.error.message}`,
          ] as [string, string],
        ]),
  ];
  return `${facts(rows, paint)}\n${table(WAY, shown.trail, paint)}`;
}
