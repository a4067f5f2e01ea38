import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { GUARD_ROUNDS } from "../guard/guard.ts";
import { judge, type Verdict } from "../report/verdict.ts";
import {
  amountFor,
  type Arena,
  type Contender,
  contendersOf,
  type Scenario,
} from "../scenarios/scenario.ts";
import type { Figure } from "../scenarios/figure.ts";
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
  const rounds = roundsOf(scenario, comparison);
  const contenders = contendersOf(scenario).filter(
    ({ server = "nats" }) => servers.url(server) !== undefined && (peers || server === "nats"),
  );
  const runRound = async (round: number) => {
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    const runs = order.map((contender, index) => async () => {
      process.stderr.write(
        `${scenario.name} (${durability}): round ${round + 1} of ${rounds}, ${contender.name}\n`,
      );
      const arena = {
        url: servers.url(contender.server ?? "nats") ?? "",
        namespace: `${scenario.name}-${round}-${index}`,
        amount: amountFor(scenario, contender, comparison),
      };
      return [contender.name, await contend(scenario, contender, arena, smoke)] as const;
    });
    return new Map(await (tellsNothing(scenario, smoke) ? atOnce(runs) : inTurn(runs)));
  };
  const figures: Map<string, Figure>[] = [];
  for (let round = 0; round < rounds; round += 1) figures.push(await runRound(round));
  return judge(scenario, { durability, amount, rounds: figures, smoke });
}

/**
 * What a smoke run doesn't guard says nothing about speed: its contenders wait at the same time,
 * and need no process of their own.
 */
function tellsNothing({ guard }: Scenario, smoke: boolean): boolean {
  return smoke && guard === undefined;
}

function atOnce<T>(runs: readonly (() => Promise<T>)[]): Promise<T[]> {
  return Promise.all(runs.map((run) => run()));
}

async function inTurn<T>(runs: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  for (const run of runs) results.push(await run());
  return results;
}

function roundsOf({ guard, mostRounds }: Scenario, { rounds, smoke }: Comparison): number {
  if (smoke && guard !== undefined) return Math.max(rounds, GUARD_ROUNDS);
  return Math.min(rounds, mostRounds ?? rounds);
}

/** In a process of its own, but for what tells nothing; so do the peers of a smoke run. */
async function contend(
  scenario: Scenario,
  contender: Contender,
  arena: Arena,
  smoke: boolean,
): Promise<Figure> {
  const peer = contender.server !== undefined;
  if (tellsNothing(scenario, smoke) || (smoke && peer)) return contender.run(arena);
  const { url, namespace, amount } = arena;
  const args = [PROGRAM, scenario.name, contender.name, url, namespace, String(amount)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: CONTENDER_MS });
  return JSON.parse(stdout) as Figure;
}
