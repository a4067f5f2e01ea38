import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { judge, type Verdict } from "../report/verdict.ts";
import {
  amountFor,
  type Arena,
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
  readonly smoke: boolean;
}

/** Runs the contenders in turn: A B C, C B A, A B C … */
export async function compare(scenario: Scenario, comparison: Comparison): Promise<Verdict> {
  const { servers, durability, amount, peers, smoke } = comparison;
  const rounds = Math.min(comparison.rounds, scenario.mostRounds ?? comparison.rounds);
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
      const arena = {
        url: servers.url(contender.server ?? "nats") ?? "",
        namespace: `${scenario.name}-${round}-${index}`,
        amount: amountFor(scenario, contender, comparison),
      };
      ofRound.set(contender.name, await contend(scenario, contender, arena, smoke));
    }
    figures.push(ofRound);
  }
  return judge(scenario, { durability, amount, rounds: figures, smoke });
}

/** Each in a process of its own; what a smoke run doesn't guard says nothing about speed, and saves the start. */
async function contend(
  { name, guard }: Scenario,
  contender: Contender,
  arena: Arena,
  smoke: boolean,
): Promise<Figure> {
  if (smoke && (guard === undefined || contender.server !== undefined)) return contender.run(arena);
  const args = [PROGRAM, name, contender.name, arena.url, arena.namespace, String(arena.amount)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: CONTENDER_MS });
  return JSON.parse(stdout) as Figure;
}
