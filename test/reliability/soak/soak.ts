import { setTimeout as sleep } from "node:timers/promises";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { cleanUpLater } from "../../harness/cleanup.ts";
import type { TestServer } from "../../harness/servers.ts";
import { Fleet } from "../chaos/fleet.ts";
import { describeBlows, type Phase, planPhases } from "../chaos/plan.ts";
import { strike } from "../chaos/strike.ts";
import { type NodeChoices, Trial } from "../harness/trial.ts";
import { SeededRandom } from "../oracle/seeded-random.ts";
import { QUEUE } from "../programs/work.ts";
import { HistoryTail } from "./history-tail.ts";
import { type RecoveryOptions, recovered } from "./recovery.ts";
import type { SoakReport } from "./report.ts";
import { readServerSigns } from "./server-signs.ts";
import { growths, type Sample } from "./signs.ts";

export interface SoakOptions {
  readonly seed: number;
  /** At least; the phase that has begun is finished. */
  readonly forMs: number;
  /** The plan's phases before this one are left out: to get to where an earlier run broke. */
  readonly fromPhase?: number;
  /** Jobs that arrive a second. */
  readonly perSecond: number;
  readonly leaseMs: number;
  /** How long a phase lasts, shortest and longest. */
  readonly phaseMs: readonly [number, number];
  readonly nodes: number;
  /** None: a run without faults. */
  readonly faults: boolean;
  /** Of the nodes, and only for a proof. */
  readonly leaks?: boolean;
  readonly onProgress: (line: string) => void;
}

const PATIENCE_MS = 60_000;
/**
 * Fewer samples have no slope to speak of; on a busy machine that many take longer than was asked
 * for.
 */
const FEWEST_PHASES = 5;
const WORK_MS = [0, 0, 1, 5, 20, 0, 2, 60];

/**
 * A steady load for a long time, faults in three of four phases, and one node that lives through
 * all of it: nothing may be lost, and nothing may grow. The judgement is in the report.
 */
export async function soak(server: TestServer, options: SoakOptions): Promise<SoakReport> {
  const { seed, forMs, perSecond, nodes, leaseMs } = options;
  const trial = await Trial.start(server);
  const nc = await connect({
    servers: server.url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  });
  cleanUpLater(() => nc.close());
  const choices: NodeChoices = {
    nodeOptions: ["--expose-gc"],
    // A message over IPC for every job would be kept in this process for ever.
    tells: "nothing",
    slots: 16,
    leaseMs,
    backoffMs: 300,
    ...(options.leaks === undefined ? {} : { leaks: options.leaks }),
  };
  const fleet = new Fleet(trial, server, { size: nodes, elders: 1, choices });
  await fleet.fill();
  // Made when the first job is a suspect, which is no growth.
  await trial.broker.documents("suspects");
  const tail = await HistoryTail.start(nc, trial.namespace);
  const arrivals = trial.arrivals({
    name: "a",
    perSecond,
    workMs: WORK_MS,
    failEvery: 7,
    deadEvery: 997,
  });
  await arrivals.line(/^ready$/, PATIENCE_MS);

  const startMs = performance.now();
  const samples: Sample[] = [];
  const stalls: SoakReport["stalls"][number][] = [];
  const random = new SeededRandom(seed);
  let phases = 0;
  let calm = 0;
  for (const phase of planPhases(random, {
    nodes,
    leaseMs,
    loadMs: options.phaseMs,
  })) {
    if (phase.number < (options.fromPhase ?? 0)) continue;
    if (performance.now() - startMs >= forMs && phases >= FEWEST_PHASES) break;
    const blows = options.faults ? phase.blows : [];
    options.onProgress(`phase ${phase.number} begins: ${describeBlows(blows)}`);
    const onStall = (diagnosis: string): void => {
      stalls.push({ phase: phase.number, diagnosis });
      options.onProgress(
        `phase ${phase.number} stalls\n${diagnosis}\n${fleet.lastWords().join("\n")}`,
      );
    };
    await runPhase({ ...phase, blows }, trial, fleet, server, nc, { leaseMs, onStall });
    await tail.readOn();
    samples.push(await look(performance.now() - startMs, trial, fleet, server, nc));
    phases += 1;
    if (blows.length === 0) calm += 1;
    options.onProgress(progressLine(samples, phase.number, describeBlows(blows)));
  }
  const lastedMs = performance.now() - startMs;

  arrivals.send({ stop: true });
  const ended = await arrivals.exit(PATIENCE_MS);
  if (ended.code !== 0) throw new Error(`the producer ended with ${JSON.stringify(ended)}`);
  await trial.drained(PATIENCE_MS);
  await tail.readOn();
  const { violations, counts } = await trial.verdict(tail.records);
  const signs = growths(samples, perSecond);
  return {
    seed,
    server: server.version,
    node: process.version,
    minutes: lastedMs / 60_000,
    perSecond,
    phases,
    calm,
    arrivals: arrivals.output().at(-1) ?? "",
    counts,
    violations,
    stalls,
    vainDials: samples.at(-1)?.vainDials ?? 0,
    signs,
    samples,
    clean: violations.length === 0 && stalls.length === 0 && signs.every(({ flat }) => flat),
  };
}

async function runPhase(
  { number, loadMs, blows }: Phase,
  trial: Trial,
  fleet: Fleet,
  server: TestServer,
  nc: NatsConnection,
  recovery: RecoveryOptions,
): Promise<void> {
  const untilMs = performance.now() + loadMs;
  if (blows.length > 0) {
    const over = trial.fault(`phase ${number}`, "repeated-attempt", "stale-effect");
    for (const { afterMs, blow } of blows) {
      await sleep(afterMs);
      await strike(blow, fleet, server);
    }
    await recovered(trial, nc, recovery);
    over();
  }
  // What is left of the phase is load without faults, in which the run recovers; the phase's length
  // is the plan's.
  await sleep(Math.max(0, untilMs - performance.now()));
}

async function look(
  atMs: number,
  trial: Trial,
  fleet: Fleet,
  server: TestServer,
  nc: NatsConnection,
): Promise<Sample> {
  const { node, proxy } = fleet.member(0);
  const signs = await node.vitalSigns();
  const { queued, running, delayed, blocked } = await trial.broker.queues.snapshot(QUEUE);
  return {
    atMs,
    node: signs,
    server: await readServerSigns(nc, server.members),
    pending: queued + running + delayed + blocked,
    vainDials: proxy.unanswered,
  };
}

function progressLine(samples: readonly Sample[], phase: number, blows: string): string {
  const { atMs, node, server, pending } = samples.at(-1) as Sample;
  const mb = (bytes: number): string => `${(bytes / 1_000_000).toFixed(1)} MB`;
  return (
    `${(atMs / 60_000).toFixed(1)} min, phase ${phase} (${blows}): heap ${mb(node.heapBytes)}, ${node.handles} handles, ` +
    `${node.fds ?? "?"} descriptors, ${server.consumers}+${server.orphans} consumers, ${pending} pending`
  );
}
