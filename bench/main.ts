import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { recordRun } from "./record/record.ts";
import { chart } from "./report/chart.ts";
import { render } from "./report/render.ts";
import type { Verdict } from "./report/verdict.ts";
import { compare } from "./run/compare.ts";
import { type BenchOptions, HELP, readOptions, UsageError } from "./run/options.ts";
import { contendersOf, type Scenario } from "./scenarios/scenario.ts";
import { SCENARIOS } from "./scenarios/scenarios.ts";
import { missing, type ServerKind, startServers } from "./servers/bench-servers.ts";
import type { Durability } from "./servers/durability.ts";

// `pnpm bench`: every scenario's contenders side by side, in turn, each in a process of its own, on
// private servers.

try {
  const options = readOptions(
    process.argv.slice(2),
    SCENARIOS.map(({ name }) => name),
  );
  if (options.help) process.stdout.write(HELP);
  else if (options.list)
    for (const { name, question } of SCENARIOS)
      process.stdout.write(`${name.padEnd(16)} ${question}\n`);
  else await bench(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`bench: ${error.message} (${error.code}; --help says more)\n`);
  process.exitCode = 2;
}

async function bench(options: BenchOptions): Promise<void> {
  const scenarios = SCENARIOS.filter(({ name }) => options.only?.includes(name) ?? true);
  const kinds = options.peers ? kindsOf(scenarios) : new Set<ServerKind>();
  const absent = [...kinds].flatMap((kind) => missing(kind) ?? []);
  for (const reason of new Set(absent)) process.stderr.write(`left out: ${reason}\n`);
  const verdicts: Verdict[] = [];
  let natsVersion = "";
  for (const durability of options.durabilities) {
    const asked = scenarios.filter((scenario) => amountOf(scenario, durability, options) > 0);
    if (asked.length === 0) continue;
    await using servers = await startServers(kinds, durability, options.generation);
    natsVersion = servers.natsVersion;
    process.stderr.write(
      `nats-server ${natsVersion}, Node ${process.version}, ${availableParallelism()} processors, ${options.rounds} rounds, ${durability}\n`,
    );
    for (const scenario of asked)
      verdicts.push(
        await compare(scenario, {
          servers,
          durability,
          rounds: options.rounds,
          amount: amountOf(scenario, durability, options),
          peers: options.peers,
          smoke: options.smoke,
        }),
      );
  }
  const { rounds } = options;
  const report = `${JSON.stringify({ server: natsVersion, node: process.version, rounds, missing: absent, verdicts }, null, 2)}\n`;
  process.stdout.write(options.json ? report : `${render(verdicts)}\n`);
  if (options.out !== undefined) await writeFile(options.out, report);
  if (options.chart !== undefined) await writeFile(options.chart, chart(verdicts));
  if (options.record !== undefined)
    await recordRun(options.record, { server: natsVersion, rounds, verdicts });
  // A contender of this process may have set it.
  process.exitCode ||= options.smoke ? guardHeld(verdicts) : goalsReached(verdicts);
}

function goalsReached(verdicts: readonly Verdict[]): 0 | 1 {
  const missed = verdicts.filter(({ reached }) => !reached);
  for (const { scenario, durability } of missed)
    process.stderr.write(`${scenario} (${durability}): misses its goal\n`);
  return missed.length === 0 ? 0 : 1;
}

/** So few jobs say nothing about speed, but for what each costs. */
function guardHeld(verdicts: readonly Verdict[]): 0 | 1 {
  let broken = false;
  for (const { scenario, guard } of verdicts) {
    if (guard === undefined) continue;
    const { heapBytes, mostHeapBytes, times, mostTimes, held } = guard;
    broken ||= !held;
    process.stderr.write(
      `${scenario}: a job allocates ${heapBytes} bytes, at most ${mostHeapBytes}, and costs ${times.toFixed(1)} times the bare client's processor time, at most ${mostTimes}${held ? "" : ": THE GUARD IS BROKEN"}\n`,
    );
  }
  return broken ? 1 : 0;
}

function kindsOf(scenarios: readonly Scenario[]): Set<ServerKind> {
  const servers = scenarios.flatMap(contendersOf).map(({ server }) => server ?? "nats");
  return new Set(servers);
}

/** 0 where the scenario isn't asked with this durability. */
function amountOf(
  { name, amount }: Scenario,
  durability: Durability,
  options: BenchOptions,
): number {
  if (durability === "disk")
    return options.smoke ? Math.min(amount.smoke, amount.disk ?? 0) : (amount.disk ?? 0);
  if (name === "delayed" && options.outstanding !== undefined) return options.outstanding;
  return options.smoke ? amount.smoke : amount.full;
}
