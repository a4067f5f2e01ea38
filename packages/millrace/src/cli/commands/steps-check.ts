import { open, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type AnyJob, MillraceError, readRun, type RecordedRun, systemClock } from "@millrace/core";
import { type ReplayedRun, type ReplayedStep, replayRun } from "@millrace/runtime";
import { shownError, showValue } from "@millrace/telemetry/masking";
import { MOST_IN_FLIGHT, runsInFlight } from "../../client/jobs/runs-in-flight.ts";
import { duration, flag, text } from "../../config/field-kinds.ts";
import { maskOf } from "../../config/mask-of.ts";
import { loadJobs } from "../../node/load-jobs.ts";
import { command } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { clean } from "../show/clean.ts";
import { type Column, table } from "../show/table.ts";
import { traceColumns } from "../show/trace.ts";
import { withClient } from "../with-client.ts";

const TIMEOUT_MS = 10_000;

const COLUMNS: readonly Column<ReplayedRun>[] = [
  { title: "JOB", cell: ({ job }) => clean(`${job.queue}/${job.id}`, 200) },
  { title: "NAME", cell: ({ job }) => clean(job.name, 100) },
  { title: "OUTCOME", cell: ({ outcome }) => outcome },
  { title: "RECORDED", align: "right", cell: ({ replayed }) => String(replayed) },
];
const WHERE: Column<ReplayedRun> = {
  title: "WHERE",
  cell: (run) => clean(whereOf(run), 400),
};

export const stepsCheck = command({
  name: "steps check",
  summary:
    "Replay the runs in flight with the handlers that these files export, before you deploy them; no step is run and nothing is changed",
  usage: "FILE…",
  args: { min: 1, max: 1_000 },
  flags: {
    runs: {
      kind: { ...text, placeholder: "<file>" },
      about: "Replay the runs that --save has written here, and ask no server",
    },
    save: {
      kind: { ...text, placeholder: "<file>" },
      about: "Write the runs in flight to this file, with payloads and results as they are",
    },
    timeout: {
      kind: duration,
      about: "How long a handler may take between its steps (default 10s)",
    },
    "show-payload": { kind: flag, about: "Show errors as they are" },
  },
  fields: ["connection", "namespace", "masking", "tracing"],
  examples: [
    ["millrace steps check jobs.ts", "Whether each run could go on with these handlers"],
    ["millrace steps check jobs.ts --save runs.json", "The same, and keeps the runs for tests"],
  ],
  async run({ args, flags, config, io }) {
    if (flags.runs !== undefined && flags.save !== undefined)
      throw new MillraceError("invalid-option", "--runs and --save exclude each other.");
    const jobs = (await loadJobs(args, io.cwd)).filter(({ steps }) => steps !== undefined);
    if (jobs.length === 0)
      throw new MillraceError("no-jobs", `No file in ${args.join(", ")} exports a job with steps.`);
    const { runs, cut } =
      flags.runs === undefined
        ? await withClient(config, ({ broker }) => runsInFlight(broker, jobs, systemClock.now))
        : { runs: await runsIn(resolve(io.cwd, flags.runs)), cut: [] };
    if (flags.save !== undefined) await save(resolve(io.cwd, flags.save), runs);
    const show = showValue(flags["show-payload"], maskOf(config));
    const replayed: ReplayedRun[] = [];
    for (const run of runs) {
      const found = await replay(jobs, run, flags.timeout ?? TIMEOUT_MS);
      const { error } = found;
      replayed.push(error === undefined ? found : { ...found, error: shownError(error, show) });
    }
    const breaking = replayed.filter(({ breaks }) => breaks).length;
    return {
      json: { checked: replayed.length, breaking, truncated: cut.length > 0, runs: replayed },
      text: (paint) =>
        (replayed.length === 0
          ? ""
          : `${table([...COLUMNS, ...traceColumns(replayed, config.traceUrl), WHERE], replayed, paint)}\n`) +
        `${replayed.length} runs were replayed, ${breaking} would break\n` +
        cut.map((queue) => `${cutText(queue)}\n`).join(""),
      exitCode: breaking === 0 && cut.length === 0 ? EXIT.ok : EXIT.failed,
    };
  },
});

function cutText(queue: string): string {
  return `${MOST_IN_FLIGHT} jobs of the queue ${queue} were looked at: there may be runs among the rest`;
}

/**
 * With payloads as they are: nobody else may read it, also where the file was there before. What is
 * no file (`/dev/null`, a pipe) keeps the rights that it has.
 */
async function save(path: string, runs: readonly RecordedRun[]): Promise<void> {
  await using file = await open(path, "w", 0o600);
  if ((await file.stat()).isFile()) await file.chmod(0o600);
  await file.writeFile(`${JSON.stringify(runs, null, 1)}\n`);
}

async function replay(
  jobs: readonly AnyJob[],
  run: RecordedRun,
  timeoutMs: number,
): Promise<ReplayedRun> {
  const { name, queue } = run.job;
  const job = jobs.find((one) => one.name === name && one.queue === queue);
  if (job === undefined)
    throw new MillraceError("no-jobs", `No file exports the job ${name} of the queue ${queue}.`);
  return replayRun(job, run, { clock: systemClock, timeoutMs });
}

async function runsIn(file: string): Promise<readonly RecordedRun[]> {
  let read: unknown;
  try {
    read = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new MillraceError("invalid-option", `${file} can't be read as JSON.`, { cause });
  }
  if (!Array.isArray(read))
    throw new MillraceError("invalid-option", `${file} has no list of recorded runs.`);
  for (const one of read) readRun(one);
  return read as readonly RecordedRun[];
}

function whereOf({ outcome, at, notAsked, error }: ReplayedRun): string {
  if (error !== undefined) return `${error.type}: ${error.message}`;
  const places = at.map(placeText).join(", ");
  if (outcome === "early") return `${places}, before what is on record: ${notAsked.join(", ")}`;
  if (outcome === "left") return "left to a node with another version of its steps";
  if (outcome === "unanswered") return "the handler has neither ended nor asked for a step";
  return places;
}

function placeText({ name, n, state }: ReplayedStep): string {
  return `${n === 0 ? name : `${name} (${n + 1})`}: ${state}`;
}
