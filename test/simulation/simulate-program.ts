import { parseArgs } from "node:util";
import { FAULT_KINDS, type FaultKind } from "./broker/network.ts";
import { Figures } from "./figures.ts";
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
  --go-on       goes on after a violation, and shrinks none
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
const kinds = {
  ...faultKinds(values.faults),
  ...(values.nats ? { realm: natsRealm() } : {}),
};
const isTerminal = process.stderr.isTTY;
const figures = new Figures();
let story: Story | undefined;

const endsAt = Date.now() + minutes * 60_000;
for (let seed = from; seeds === undefined ? Date.now() < endsAt : seed < from + seeds; seed += 1) {
  const judged = await judge({ seed, ...kinds });
  figures.add(seed, judged);
  if (isTerminal) process.stderr.write(`\r${figures.line()}`);
  const broken = judged.violations.find(
    ({ is }) => values.kind === undefined || is === values.kind,
  );
  if (broken === undefined) continue;
  if (values["go-on"]) {
    if (!values.json) console.log(`seed ${seed}: ${broken.is} ${broken.job}: ${broken.detail}`);
    continue;
  }
  if (!values.json) console.error(`\nseed ${seed} broke a promise; shrinking it …`);
  story = await shrink(seed, broken.is, kinds);
  break;
}

if (values.json) {
  console.log(JSON.stringify({ ...figures.summary(), story: story ?? null }));
} else {
  if (isTerminal) process.stderr.write("\n");
  console.log(figures.line());
  for (const line of figures.kinds()) console.log(line);
  if (story !== undefined) tell(story);
}
process.exit(figures.isClean ? 0 : 1);

function tell({ seed, violations, faults, plans, runs, entries }: Story): void {
  for (const entry of entries) console.log(tellEntry(entry));
  console.log(
    `\nFound in ${runs} runs: ${plans.length} of its jobs, ${faults.length} of its faults.`,
  );
  for (const { name, kind } of faults) console.log(`  ${kind} at ${name}`);
  for (const { is, job, detail } of violations) console.log(red(`  ${is}: ${job}: ${detail}`));
  const only = values.faults === undefined ? "" : ` --faults ${values.faults}`;
  const under = values.nats ? " --nats" : "";
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
    "go-on": boolean;
    nats: boolean;
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
        "go-on": { type: "boolean", default: false },
        nats: { type: "boolean", default: false },
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
