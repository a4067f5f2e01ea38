import { parseArgs } from "node:util";
import type { ServerGeneration } from "@millrace/nats-server";
import { DURABILITIES, type Durability } from "../servers/durability.ts";

export interface BenchOptions {
  readonly help: boolean;
  readonly list: boolean;
  readonly smoke: boolean;
  readonly json: boolean;
  readonly rounds: number;
  /** Names of scenarios; all where undefined. */
  readonly only: readonly string[] | undefined;
  readonly peers: boolean;
  readonly durabilities: readonly Durability[];
  readonly generation: ServerGeneration;
  /** How many jobs wait in the scenario `delayed`. */
  readonly outstanding: number | undefined;
  readonly out: string | undefined;
  readonly chart: string | undefined;
  /** A file of JSON lines that keeps the shares of each run with its commit. */
  readonly record: string | undefined;
}

export const HELP = `Measures Millrace beside the bare NATS client and beside other job runtimes, on private servers that it starts and removes.

  pnpm bench [options]

  --only NAME[,NAME]   only these scenarios (--list says which there are)
  --rounds N           how often each contender runs, in turn (default 3, with --smoke 1)
  --smoke              few jobs: shows that everything works, says nothing about speed
  --no-peers           leaves out BullMQ, Graphile Worker and pg-boss
  --durability CLASS   page-cache, disk or both (default both, with --smoke page-cache)
  --server GENERATION  newest or 2.10: the nats-server (default newest)
  --outstanding N      how many jobs wait in the scenario "delayed"
  --json               the results as JSON on the standard output
  --out FILE           the results as JSON in a file
  --chart FILE         a chart of the results, SVG
  --record FILE.jsonl  adds the shares with the commit to a file, and draws all its runs (FILE.svg)
  --list               lists the scenarios
  --help               this

Exit codes: 0 every goal was reached, 1 a goal was missed (not with --smoke), 2 wrong usage.
`;

/** A mistake of the one who calls: `main.ts` says it and ends with code 2. */
export class UsageError extends Error {
  readonly code = "bench-usage";
}

export function readOptions(args: readonly string[], scenarios: readonly string[]): BenchOptions {
  const values = parsed(args);
  const only = values.only?.split(",");
  const unknown = only?.find((name) => !scenarios.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`no scenario is called "${unknown}"; there are ${scenarios.join(", ")}`);
  return {
    help: values.help,
    list: values.list,
    smoke: values.smoke,
    json: values.json,
    rounds: wholeNumber("--rounds", values.rounds) ?? (values.smoke ? 1 : 3),
    only,
    peers: !values["no-peers"],
    durabilities: durabilitiesOf(values.durability ?? (values.smoke ? "page-cache" : "both")),
    generation: oneOf("--server", values.server, ["newest", "2.10"]),
    outstanding: wholeNumber("--outstanding", values.outstanding),
    out: values.out,
    chart: values.chart,
    record: recordFile(values.record, values.smoke),
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean", default: false },
        list: { type: "boolean", default: false },
        smoke: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        rounds: { type: "string" },
        only: { type: "string" },
        "no-peers": { type: "boolean", default: false },
        durability: { type: "string" },
        server: { type: "string", default: "newest" },
        outstanding: { type: "string" },
        out: { type: "string" },
        chart: { type: "string" },
        record: { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function durabilitiesOf(given: string): readonly Durability[] {
  const named = oneOf("--durability", given, [...DURABILITIES, "both"] as const);
  return named === "both" ? DURABILITIES : [named];
}

function recordFile(given: string | undefined, isSmoke: boolean): string | undefined {
  if (given === undefined) return undefined;
  if (isSmoke) throw new UsageError("--record and --smoke: so few jobs say nothing about speed");
  if (!given.endsWith(".jsonl"))
    throw new UsageError(`--record must be a file whose name ends with .jsonl; got "${given}"`);
  return given;
}

function oneOf<const T extends string>(option: string, given: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === given);
  if (found === undefined)
    throw new UsageError(`${option} must be one of ${allowed.join(", ")}; got "${given}"`);
  return found;
}

function wholeNumber(option: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  if (!/^[1-9]\d*$/.test(given))
    throw new UsageError(`${option} must be a whole number above 0; got "${given}"`);
  return Number(given);
}
