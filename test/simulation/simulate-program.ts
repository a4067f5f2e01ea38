import { parseArgs } from "node:util";
import { FAULT_KINDS, type FaultKind } from "./broker/network.ts";
import { kindsOf, lineOf, NOTHING_YET, sumOf, type Totals, totalsOf } from "./figures.ts";
import { allRuns, commitNow, keepRun } from "./kept-runs.ts";
import { inProcesses } from "./many-processes.ts";
import type { ViolationKind } from "./oracle/violation.ts";
import { judge, shrink, type Story } from "./simulate.ts";
import { tellEntry } from "./story.ts";
import { natsRealm } from "./world/nats-realm.ts";

const USAGE = `pnpm simulate [options]: the real runtime in simulated worlds, one a seed, each judged by an oracle.

  --minutes N   goes on for so long (default 1)
  --seeds N     so many seeds, however long it takes
  --seed N      this one alone, with its story
  --from N      the first seed (default: from the clock)
  --faults F    these kinds of fault only: kill, stop, freeze, cut, slow, crash, elect, with commas
  --kind K      stop at and shrink this kind of violation only; others are counted
  --nats        with the real broker-nats on a model of JetStream, instead of a server at the broker port
  --outages     faults may outlast a queue's memory of ids, which is two minutes
  --go-on       goes on after a violation, and shrinks none
  --processes N shares the seeds out among so many processes; it goes on, too
  --share K/N   every Nth seed only, from the Kth on
  --keep FILE   adds a line of JSON to FILE, and says what all its lines come to
  --json        one JSON object at the end, nothing else on stdout
  --help        this

Exit codes: 0 nothing found, 1 a promise was broken, 2 bad usage.`;

const { values } = options();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const seeds = values.seed === undefined ? count("seeds", values.seeds) : 1;
const minutes = count("minutes", values.minutes) ?? 1;
const from = count("seed", values.seed) ?? count("from", values.from) ?? Date.now() % 1_000_000_000;
const processes = count("processes", values.processes) ?? 1;
const share = shareOf(values.share);
const kinds = {
  ...faultKinds(values.faults),
  ...(values.nats ? { realm: natsRealm() } : {}),
  ...(values.outages ? { outages: true } : {}),
};
const commit = values.keep === undefined ? "" : commitNow();
const isTerminal = process.stderr.isTTY;
let totals = NOTHING_YET;
let story: Story | undefined;
let isToStop = false;
// What it has found so far is told.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => (isToStop = true));

if (processes > 1) totals = await inProcesses(import.meta.filename, processes, argsOfEach());
else await goThrough();
if (values.keep !== undefined)
  keepRun(values.keep, totals, { commit, from, options: optionsKept() });
report(totals);
process.exit(totals.failing === 0 ? 0 : 1);

async function goThrough(): Promise<void> {
  const endsAt = Date.now() + minutes * 60_000;
  for (let seed = from + share.first; !isToStop; seed += share.of) {
    if (seeds === undefined ? Date.now() >= endsAt : seed >= from + seeds) break;
    const judged = await judge({ seed, ...kinds });
    totals = { ...sumOf(totals, totalsOf(seed, judged)), cpuSeconds: cpuSeconds() };
    if (isTerminal) process.stderr.write(`\r${lineOf(totals)}`);
    const broken = judged.violations.find(
      ({ is }) => values.kind === undefined || is === values.kind,
    );
    if (broken === undefined) continue;
    if (values["go-on"]) {
      const line = `seed ${seed}: ${broken.is} ${broken.job}: ${broken.detail}`;
      if (values.json) console.error(line);
      else console.log(line);
      continue;
    }
    if (!values.json) console.error(`\nseed ${seed} broke a promise; shrinking it …`);
    story = await shrink(seed, broken.is, kinds);
    break;
  }
  if (isTerminal) process.stderr.write("\n");
}

function report(totals: Totals): void {
  if (values.json) {
    console.log(JSON.stringify({ ...totals, story: story ?? null }));
    return;
  }
  console.log(lineOf(totals));
  for (const line of kindsOf(totals)) console.log(line);
  if (story !== undefined) tell(story);
  if (values.keep === undefined) return;
  const all = allRuns(values.keep);
  console.log(`All runs of ${values.keep}, on ${all.commits.join(", ")}:\n  ${lineOf(all.totals)}`);
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000_000;
}

/** What a world is like, for who reads a kept run. */
function optionsKept(): readonly string[] {
  return [
    ...(values.nats ? ["--nats"] : []),
    ...(values.outages ? ["--outages"] : []),
    ...(values.faults === undefined ? [] : ["--faults", values.faults]),
    ...(values.share === undefined ? [] : ["--share", values.share]),
  ];
}

function argsOfEach(): readonly string[] {
  if (values.share !== undefined) usage("--share and --processes don't go together.");
  return [
    ...optionsKept(),
    ...["--from", String(from), "--minutes", String(minutes)],
    ...(seeds === undefined ? [] : ["--seeds", String(seeds)]),
    ...(values.kind === undefined ? [] : ["--kind", values.kind]),
  ];
}

function tell({ seed, violations, faults, plans, runs, entries }: Story): void {
  for (const entry of entries) console.log(tellEntry(entry));
  console.log(
    `\nFound in ${runs} runs: ${plans.length} of its jobs, ${faults.length} of its faults.`,
  );
  for (const { name, kind } of faults) console.log(`  ${kind} at ${name}`);
  for (const { is, job, detail } of violations) console.log(red(`  ${is}: ${job}: ${detail}`));
  const only = values.faults === undefined ? "" : ` --faults ${values.faults}`;
  const under = `${values.nats ? " --nats" : ""}${values.outages ? " --outages" : ""}`;
  console.log(`Repeat with: pnpm simulate${under} --seed ${seed}${only}`);
}

function red(text: string): string {
  return process.stdout.isTTY ? `\u001b[31m${text}\u001b[39m` : text;
}

function options(): {
  values: {
    minutes?: string | undefined;
    seeds?: string | undefined;
    seed?: string | undefined;
    from?: string | undefined;
    kind?: ViolationKind | undefined;
    faults?: string | undefined;
    processes?: string | undefined;
    share?: string | undefined;
    keep?: string | undefined;
    "go-on": boolean;
    nats: boolean;
    outages: boolean;
    json: boolean;
    help: boolean;
  };
} {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: "string" },
        seeds: { type: "string" },
        seed: { type: "string" },
        from: { type: "string" },
        kind: { type: "string" },
        faults: { type: "string" },
        processes: { type: "string" },
        share: { type: "string" },
        keep: { type: "string" },
        "go-on": { type: "boolean", default: false },
        nats: { type: "boolean", default: false },
        outages: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    return { values: { ...values, kind: values.kind as ViolationKind | undefined } };
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

function faultKinds(text: string | undefined): { readonly kinds?: ReadonlySet<FaultKind> } {
  if (text === undefined) return {};
  const wanted = text.split(",");
  for (const name of wanted)
    if (!FAULT_KINDS.some((kind) => kind.split("-")[0] === name))
      usage(`--faults: there is no kind ${name}.`);
  return {
    kinds: new Set(FAULT_KINDS.filter((kind) => wanted.includes(kind.split("-")[0] ?? kind))),
  };
}

function shareOf(text = "1/1"): { readonly first: number; readonly of: number } {
  const [one, of] = text.split("/").map(Number);
  if (!(Number.isInteger(one) && Number.isInteger(of)) || one === undefined || of === undefined)
    return usage(`--share must be two numbers like 1/2; got ${text}.`);
  if (one < 1 || one > of) usage(`--share must be from 1/${of} to ${of}/${of}; got ${text}.`);
  return { first: one - 1, of };
}

function count(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0)) usage(`--${name} must be a number from 0; got ${text}.`);
  return value;
}

function usage(problem: string): never {
  console.error(`simulate: ${problem}\n\n${USAGE}`);
  process.exit(2);
}
