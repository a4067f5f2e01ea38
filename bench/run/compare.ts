import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { judge, type Verdict } from "../report/verdict.ts";
import {
  amountFor,
  type Contender,
  contendersOf,
  type Figure,
  type Scenario,
} from "../scenarios/scenario.ts";
import type { BenchServers } from "../servers/bench-servers.ts";
import type { Durability } from "../servers/durability.ts";

/** A contender that takes longer hangs. */
const CONTENDER_MS = 10 * 60_000;
const PROGRAM = fileURLToPath(new URL("../contend.ts", import.meta.url));

export interface Comparison {
  readonly servers: BenchServers;
  readonly durability: Durability;
  readonly rounds: number;
  readonly amount: number;
  readonly peers: boolean;
}

/** Runs the contenders in turn, each in a process of its own: A B C, C B A, A B C … */
export async function compare(scenario: Scenario, comparison: Comparison): Promise<Verdict> {
  const { servers, durability, rounds, amount, peers } = comparison;
  const contenders = contendersOf(scenario).filter(
    ({ server = "nats" }) => servers.url(server) !== undefined && (peers || server === "nats"),
  );
  const figures: Map<string, Figure>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    const ofRound = new Map<string, Figure>();
    for (const [index, contender] of order.entries()) {
      process.stderr.write(
        `${scenario.name} (${durability}): round ${round + 1} of ${rounds}, ${contender.name}\n`,
      );
      const namespace = `${scenario.name}-${round}-${index}`;
      const url = servers.url(contender.server ?? "nats") ?? "";
      ofRound.set(contender.name, await contend(scenario, contender, { url, namespace, amount }));
    }
    figures.push(ofRound);
  }
  return judge(scenario, { durability, amount, rounds: figures });
}

async function contend(
  scenario: Scenario,
  contender: Contender,
  { url, namespace, amount }: { url: string; namespace: string; amount: number },
): Promise<Figure> {
  const own = String(amountFor(contender, amount));
  const args = [PROGRAM, scenario.name, contender.name, url, namespace, own];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: CONTENDER_MS });
  return JSON.parse(stdout) as Figure;
}
