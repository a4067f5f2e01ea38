import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { launchServer, obtainServer } from "@millrace/broker-nats/server";
import { render } from "./report/render.ts";
import { judge, type Verdict } from "./report/verdict.ts";
import type { Contender, Figure, Scenario } from "./scenarios/scenario.ts";
import { SCENARIOS } from "./scenarios/scenarios.ts";

/**
 * Runs every scenario's contenders side by side, in turn, each in a process of its own, on one private server: A B, B A, A B …
 *
 *     pnpm bench [--smoke] [--rounds 5] [--only process] [--json] [--out results.json]
 *                [--server newest|2.10] [--outstanding 200000]   (how many jobs wait in the scenario `delayed`)
 */
const { values } = parseArgs({
  options: {
    smoke: { type: "boolean", default: false },
    rounds: { type: "string" },
    only: { type: "string" },
    server: { type: "string", default: "newest" },
    outstanding: { type: "string" },
    out: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds ?? (values.smoke ? 1 : 5));
const scenarios = SCENARIOS.filter(({ name }) => values.only === undefined || name === values.only);
if (scenarios.length === 0) throw new Error(`no scenario is called ${values.only}`);

const generation = values.server === "2.10" ? "2.10" : "newest";
const { path } = await obtainServer({
  generation,
  onProgress: (line) => process.stderr.write(`${line}\n`),
});
await using server = await launchServer({ path });
process.stderr.write(
  `nats-server ${server.version}, Node ${process.version}, ${availableParallelism()} processors, ${rounds} rounds\n`,
);

const verdicts: Verdict[] = [];
for (const scenario of scenarios) verdicts.push(await compare(scenario));

const report = `${JSON.stringify({ server: server.version, node: process.version, rounds, verdicts }, null, 2)}\n`;
process.stdout.write(values.json ? report : `${render(verdicts)}\n`);
if (values.out !== undefined) await writeFile(values.out, report);
for (const { scenario, reached, goal, ceiling } of verdicts) {
  if (!reached)
    process.stderr.write(
      ceiling === undefined
        ? `${scenario}: below its floor of ${Math.round(goal * 100)} %\n`
        : `${scenario}: misses its goal\n`,
    );
}
// A smoke run only shows that everything works: so few jobs say nothing about speed.
if (!values.smoke && verdicts.some(({ reached }) => !reached)) process.exitCode = 1;

async function compare(scenario: Scenario): Promise<Verdict> {
  const amount = amountOf(scenario);
  const figures: Map<string, Figure>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? scenario.contenders : scenario.contenders.toReversed();
    const ofRound = new Map<string, Figure>();
    for (const [index, contender] of order.entries()) {
      process.stderr.write(
        `${scenario.name}: round ${round + 1} of ${rounds}, ${contender.name}\n`,
      );
      const namespace = `${scenario.name}-${round}-${index}`;
      ofRound.set(contender.name, await contend(scenario, contender, namespace, amount));
    }
    figures.push(ofRound);
  }
  return judge(scenario, amount, figures);
}

function amountOf({ name, amount }: Scenario): number {
  if (name === "delayed" && values.outstanding !== undefined) return Number(values.outstanding);
  return values.smoke ? amount.smoke : amount.full;
}

async function contend(
  scenario: Scenario,
  contender: Contender,
  namespace: string,
  amount: number,
): Promise<Figure> {
  const program = fileURLToPath(new URL("./contend.ts", import.meta.url));
  const args = [program, scenario.name, contender.name, server.url, namespace, String(amount)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Figure;
}
