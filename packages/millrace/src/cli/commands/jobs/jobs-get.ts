import { defined, formatMs, type HistoryRecord } from "@millrace/core";
import { batchOfJob, type BatchStatus } from "../../../client/jobs/batches.ts";
import { chainOf, type ChainMember } from "../../../client/jobs/job-chain.ts";
import type { JobCargo, JobStatus } from "../../../client/jobs/job-status.ts";
import { flag, text } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import type { Paint } from "../../io.ts";
import { flowFacts } from "../../show/flow.ts";
import { holdFacts, shownHold } from "../../show/hold.ts";
import { fieldFacts } from "../../show/field-facts.ts";
import { clean } from "../../show/clean.ts";
import {
  shownCargo,
  shownError,
  shownRecord,
  shownReport,
  showValue,
} from "@millrace/telemetry/masking";
import { traceFacts } from "../../show/trace.ts";
import { goneSteps, shownStep, stepsTable } from "../../show/steps.ts";
import { shownRef } from "../../show/shown-ref.ts";
import { shownSilence } from "../../show/silence.ts";
import { stateColour } from "../../show/state-colour.ts";
import { type Column, facts, table } from "../../show/table.ts";
import { withClient } from "../../with-client.ts";

const HISTORY: readonly Column<HistoryRecord>[] = [
  { title: "AT", cell: ({ at }) => new Date(at).toISOString() },
  { title: "STATE", cell: ({ state }) => state },
  { title: "OUTCOME", cell: ({ outcome }) => outcome },
  { title: "ATTEMPTS", align: "right", cell: ({ attempts }) => String(attempts) },
  {
    title: "TOOK",
    align: "right",
    cell: ({ durationMs }) => (durationMs === undefined ? "-" : formatMs(durationMs)),
  },
  { title: "NODE", cell: ({ node }) => node },
  {
    title: "ERROR",
    cell: ({ error, reason }) =>
      error === undefined ? (reason ?? "") : `${error.type}: ${error.message}`,
  },
];

export const jobsGet = command({
  name: "jobs get",
  summary: "Show one job: where it is, what it waits for, and what happened to it so far",
  usage: "ID",
  args: { min: 1, max: 1 },
  flags: {
    queue: {
      kind: { ...text, placeholder: "<queue>" },
      about: "Look in this queue only; needed where several queues have a job with this id",
    },
    "show-payload": {
      kind: flag,
      about: "Show payloads, headers, tags, results, errors and notes as they are",
    },
  },
  fields: ["connection", "namespace", "masking", "tracing"],
  examples: [
    [
      "millrace jobs get 0195c1f2-7a55-7c3e-9a1b-3f8f5b0c2d11",
      "Shows its state, attempts and history",
    ],
  ],
  async run({ args, flags, config }) {
    const [id = ""] = args;
    const status = await withClient(config, async (client): Promise<ShownJob> => {
      const where = flags.queue === undefined ? {} : { queue: flags.queue };
      const found = await client.job(id, { ...where, hold: true, payload: true });
      const chain = await chainOf(client.job.bind(client), found);
      const batchStatus = await batchOfJob(client.batches, found);
      return {
        ...found,
        ...defined({ chain, batchStatus }),
      };
    });
    const show = showValue(flags["show-payload"], maskOf(config));
    const shown: ShownJob = {
      ...status,
      ...(status.hold === undefined ? {} : { hold: shownHold(status.hold, show) }),
      ...(status.cargo === undefined ? {} : { cargo: shownCargo(status.cargo, show) }),
      history: status.history.map((record) => shownRecord(record, show)),
      ...(status.result === undefined ? {} : { result: show(status.result) }),
      ...(status.error === undefined ? {} : { error: shownError(status.error, show) }),
      ...(status.steps === undefined
        ? {}
        : { steps: status.steps.map((step) => shownStep(step, show)) }),
      ...(status.progress === undefined ? {} : { progress: shownReport(status.progress, show) }),
    };
    return { json: shown, text: (paint) => statusText(shown, paint, config.traceUrl) };
  },
});

/** A job with its chain and its batch. */
interface ShownJob extends JobStatus {
  readonly chain?: readonly ChainMember[];
  readonly batchStatus?: BatchStatus;
}

function shownRun({ node, startedAt, deliveries }: NonNullable<JobStatus["running"]>): string {
  const since = `${clean(node)}, since ${new Date(startedAt).toISOString()}`;
  return typeof deliveries === "number"
    ? `${since}; handed out ${deliveries} times: an earlier holder died, was cut off, or gave it back`
    : since;
}

function statusText(job: ShownJob, paint: Paint, traceUrl: string | undefined): string {
  const {
    id,
    name,
    queue,
    state,
    attempts,
    history,
    result,
    progress,
    error,
    parent,
    traceId,
    steps,
    stepCount,
    silentMs,
    silentNode,
    running,
    hold,
    cargo,
  } = job;
  const about = facts(
    [
      ["id", id],
      ["name", clean(name)],
      ["queue", queue],
      ["state", state, stateColour(state)],
      ...(running === undefined ? [] : [["node", shownRun(running)] as const]),
      ...(silentMs === undefined ? [] : [["node", shownSilence(silentNode, silentMs)] as const]),
      ...holdFacts(hold, queue, traceUrl),
      ["attempts", String(attempts)],
      ...(progress === undefined
        ? []
        : [["progress", clean(`${progress.value} ${progress.note ?? ""}`.trim(), 1_000)] as const]),
      ...(parent === undefined ? [] : [["parent", shownRef(parent, queue)] as const]),
      ...childrenFacts(history, queue),
      ...flowFacts(job, queue, traceUrl),
      ...goneSteps(steps, stepCount),
      ...traceFacts(traceId, traceUrl),
      ...cargoFacts(cargo),
      ...(result === undefined ? [] : [["result", clean(JSON.stringify(result), 1_000)] as const]),
      ...(error === undefined
        ? []
        : [["error", clean(`${error.type}: ${error.message}`, 1_000)] as const]),
      ...fieldFacts(error),
    ],
    paint,
  );
  const tables = [
    ...(steps === undefined ? [] : [stepsTable(steps, queue, paint)]),
    ...(history.length === 0 ? [] : [table(HISTORY, history, paint)]),
  ];
  return [about, ...tables].join("\n");
}

function cargoFacts(cargo: JobCargo | undefined): readonly (readonly [string, string])[] {
  if (cargo === undefined) return [];
  const { payload, tags } = cargo;
  return [
    ["payload", clean(JSON.stringify(payload) ?? "", 1_000)],
    ...(tags === undefined || tags.length === 0
      ? []
      : [["tags", clean(tags.join(", "), 1_000)] as const]),
  ];
}

const CHILDREN_SHOWN = 10;

/** The JSON output has them all, as far as they are on record. */
function childrenFacts(
  history: readonly HistoryRecord[],
  queue: string,
): readonly (readonly [string, string])[] {
  const count = history.reduce((sum, { children }) => sum + (children?.count ?? 0), 0);
  if (count === 0) return [];
  const shown = history
    .flatMap(({ children }) => children?.jobs ?? [])
    .slice(0, CHILDREN_SHOWN)
    .map((child) => shownRef(child, queue));
  const more = count > shown.length ? ` and ${count - shown.length} more` : "";
  return [["children", `${shown.join(", ")}${more}`]];
}
