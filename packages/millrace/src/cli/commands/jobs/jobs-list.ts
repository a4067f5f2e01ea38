import { defined } from "@millrace/core";
import { RECORDED_STATES } from "../../../client/jobs/jobs.ts";
import { LIVE_STATES, type LiveJob, type LiveState } from "../../../client/jobs/live-jobs.ts";
import { flag, oneOf, text, whole } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import { clean } from "../../show/clean.ts";
import { shownRecord, showValue } from "@millrace/telemetry/masking";
import { shownSilence } from "../../show/silence.ts";
import { keepsIndex } from "../../../search/configured-index.ts";
import { foundJobs } from "./found-jobs.ts";
import { inStateNow } from "./in-state-now.ts";
import { type Column, table } from "../../show/table.ts";
import { withClient } from "../../with-client.ts";
import { traceColumns } from "../../show/trace.ts";
import { RECORDED_COLUMNS } from "./recorded-columns.ts";
import { jobTerms } from "../../completion/filter-terms.ts";

const NAMED: readonly Column<LiveJob>[] = [
  { title: "ID", cell: ({ id }) => id },
  { title: "NAME", cell: ({ name }) => name },
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "ATTEMPTS", align: "right", cell: ({ attempts }) => String(attempts) },
];

const LIVE_COLUMNS: Readonly<Record<LiveState, readonly Column<LiveJob>[]>> = {
  queued: [
    ...NAMED,
    { title: "LANE", cell: ({ lane }) => lane ?? "-" },
    { title: "SINCE", cell: ({ storedAt }) => shownTime(storedAt) },
  ],
  delayed: [
    ...NAMED,
    { title: "LANE", cell: ({ lane }) => lane ?? "-" },
    { title: "DUE", cell: ({ notBefore }) => shownTime(notBefore) },
  ],
  blocked: [
    ...NAMED,
    { title: "GATE", cell: ({ gate }) => clean(gate ?? "-") },
    { title: "SINCE", cell: ({ storedAt }) => shownTime(storedAt) },
  ],
  running: [
    ...NAMED,
    {
      title: "NODE",
      cell: ({ node, silentMs }) =>
        silentMs === undefined ? (node ?? "-") : shownSilence(node, silentMs),
    },
    { title: "STARTED", cell: ({ startedAt }) => shownTime(startedAt) },
  ],
};

function shownTime(ms: number | undefined): string {
  return ms === undefined ? "-" : new Date(ms).toISOString();
}

export const jobsList = command({
  name: "jobs list",
  summary:
    "List the jobs that nodes settled last, newest first; with --state queued, delayed, blocked or running, those that have not ended",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {
    queue: { kind: { ...text, placeholder: "<queue>" }, about: "Only jobs of this queue" },
    state: {
      kind: oneOf(...LIVE_STATES, ...RECORDED_STATES),
      about:
        "queued, delayed, blocked, running: jobs that are in this state now; else those among the latest --limit whose last record has it",
    },
    filter: {
      kind: jobTerms,
      about:
        "Only those that fit: 'name=mail.* error~timeout -age>2h', 'payload.customer:42 OR tag:vip' (docs filters)",
    },
    limit: {
      kind: whole(1, 10_000),
      about:
        "How many to look at (default 50); with --filter and a state of now: how many to find, among 100,000",
    },
    "show-payload": { kind: flag, about: "Show gates, and with --json results, as they are" },
  },
  fields: ["connection", "namespace", "masking", "index", "tracing"],
  examples: [
    ["millrace jobs list --queue mail --limit 20", "The 20 latest jobs of the queue mail"],
    ["millrace jobs list --state running", "What every node runs now"],
    [
      "millrace jobs list --state queued --filter 'payload.customer:42 tag:vip'",
      "What waits for one customer, found in payloads and tags",
    ],
    [
      "millrace jobs list --limit 5000 --filter 'error~timeout age<2h'",
      "What ran into a timeout in the last two hours, among the latest 5,000",
    ],
    [
      "millrace jobs list --job-index jobs.db --filter 'payload.customer:42 -state:succeeded'",
      "All that the history has, also by what is in payloads, out of an index that is kept in a file",
    ],
    [
      "millrace jobs list --job-index jobs.db --filter fingerprint:4f0c1a9be213",
      "The jobs that failed of one cause, also those that succeeded later",
    ],
  ],
  async run({ flags, config, io }) {
    const { queue, state, limit = 50, filter } = flags;
    const { traceUrl } = config;
    const live = LIVE_STATES.find((one) => one === state);
    // An index knows what is on record, not where a job is now.
    if (live === undefined && keepsIndex(config))
      return foundJobs(config, { state, queue, limit, where: filter });
    const query = {
      limit,
      ...defined({ queue, where: filter }),
    };
    const show = showValue(flags["show-payload"], maskOf(config));
    if (live !== undefined) {
      const found = await withClient(config, (client) => inStateNow(client, live, query, io));
      // A gate's name holds a key, which a producer wrote.
      const jobs = found.map((job) =>
        job.gate === undefined ? job : { ...job, gate: String(show(job.gate)) },
      );
      return {
        json: jobs,
        text: (paint) =>
          jobs.length === 0
            ? `no ${live} jobs\n`
            : table([...LIVE_COLUMNS[live], ...traceColumns(jobs, traceUrl)], jobs, paint),
      };
    }
    const records = await withClient(config, (client) => client.jobs.list(query));
    const rows = records
      .filter((record) => state === undefined || record.state === state)
      .map((record) => shownRecord(record, show));
    return {
      json: rows,
      text: (paint) =>
        rows.length === 0
          ? noneIn({ queue, limit, isNarrowed: state !== undefined || filter !== undefined })
          : table([...RECORDED_COLUMNS, ...traceColumns(rows, traceUrl)], rows, paint),
    };
  },
});

/** Says what was looked through: "none" of a few is not "none" of the history. */
function noneIn(looked: {
  readonly queue: string | undefined;
  readonly limit: number;
  readonly isNarrowed: boolean;
}): string {
  const ofQueue = looked.queue === undefined ? "" : ` of ${looked.queue}`;
  return looked.isNarrowed
    ? `none of the latest ${looked.limit} jobs${ofQueue} fits; look at more with --limit, or at all with --job-index\n`
    : `no jobs${ofQueue} in the history\n`;
}
