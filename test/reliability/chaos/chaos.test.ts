import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { describeServer, type TestServer } from "../../harness/servers.ts";
import { Trial } from "../harness/trial.ts";
import { overlaps } from "../oracle/overlaps.ts";
import { newSeed, SeededRandom } from "../oracle/seeded-random.ts";
import { Fleet } from "./fleet.ts";
import { describeBlows, type Phase, planPhases } from "./plan.ts";
import { strike } from "./strike.ts";

/** `pnpm chaos` sets them; every other test run has this long and a seed of its own. */
const BUDGET_MS = Number(process.env["MILLRACE_CHAOS_MINUTES"] ?? 0.2) * 60_000;
const SEED = Number(process.env["MILLRACE_CHAOS_SEED"] ?? newSeed());
/** The plan's phases before it are left out. */
const FROM = Number(process.env["MILLRACE_CHAOS_FROM"] ?? 0);
const NODES = 3;
const DRAIN_MS = 60_000;
const FOREIGN_EVERY_MS = 60;
/** A phase that has begun is finished. */
const OVERTIME_MS = 150_000;

describeServer(
  "a random run of faults",
  process.env["MILLRACE_CHAOS_SERVER"] === "2.10" ? "2.10" : "newest",
  (server) => {
    it(`proves the promise (seed ${SEED})`, { timeout: BUDGET_MS + OVERTIME_MS }, async () => {
      const trial = await Trial.start(server);
      const fleet = new Fleet(trial, server, { size: NODES, choices: { alone: true } });
      await fleet.fill();
      const endMs = performance.now() + BUDGET_MS;
      let done = 0;
      for (const phase of planPhases(new SeededRandom(SEED), {
        nodes: NODES,
        leaseMs: trial.leaseMs,
      })) {
        if (phase.number < FROM) continue;
        if (performance.now() >= endMs) break;
        console.log(
          `phase ${phase.number}: ${phase.jobs} jobs of ${phase.workMs} ms; ${describeBlows(phase.blows)}`,
        );
        await runPhase(phase, trial, fleet, server);
        done += 1;
      }
      const { violations, counts } = await trial.verdict();
      const alone = trial.ledger.filter(({ id }) => id.startsWith("alone-"));
      const together = overlaps(alone, fleet.deaths, fleet.standstills);
      const ends = await endsTwice(trial);
      const clean = violations.length + together.length + ends.length === 0;
      console.log(
        `seed ${SEED}, ${done} phases, verdict: ${clean ? "clean" : "BROKEN"} ${JSON.stringify(counts)}`,
      );
      expect([violations, together, ends], `seed ${SEED}`).toEqual([[], [], []]);
      expect(counts.confirmed).toBe(counts.attempted);
      expect(done).toBeGreaterThan(0);
    });
  },
);

async function runPhase(
  phase: Phase,
  trial: Trial,
  fleet: Fleet,
  server: TestServer,
): Promise<void> {
  const batches = Math.max(1, Math.floor(phase.loadMs / 100));
  const producer = trial.producer(`p${phase.number}`, {
    jobs: phase.jobs,
    batch: Math.ceil(phase.jobs / batches),
    pauseMs: 100,
    failEvery: 7,
    workMs: phase.workMs,
  });
  const foreign = trial.foreignProducer({
    name: `f${phase.number}`,
    jobs: Math.floor(phase.loadMs / FOREIGN_EVERY_MS),
    workMs: phase.workMs,
    everyMs: FOREIGN_EVERY_MS,
  });
  const calm = phase.blows.length === 0;
  const over = calm
    ? undefined
    : trial.fault(`phase ${phase.number}`, "repeated-attempt", "stale-effect");
  for (const { afterMs, blow } of phase.blows) {
    await sleep(afterMs);
    await strike(blow, fleet, server);
  }
  for (const child of [producer, foreign])
    expect(
      await child.exit(phase.loadMs + DRAIN_MS),
      `a producer ended; it said\n${child.output().slice(-8).join("\n")}`,
    ).toEqual({ code: 0, signal: null });
  await trial.drained(DRAIN_MS);
  over?.();
}

/** No fault excuses a second end: neither two in the history nor a letter beside a success. */
async function endsTwice(trial: Trial): Promise<readonly string[]> {
  const letters = await trial.broker.deadLetters.list({ limit: 1_000_000 });
  const dead = new Set(letters.map(({ id }) => id));
  const ends = (await trial.records()).filter(({ state }) => state !== "requeued");
  return [...Map.groupBy(ends, ({ id }) => id)].flatMap(([id, records]) => {
    const states = records.map(({ state }) => state);
    return records.length > 1 || dead.has(id) !== states.includes("dead")
      ? [
          `${id} ended ${states.join(" and ")}${dead.has(id) ? ", and is among the dead letters" : ""}`,
        ]
      : [];
  });
}
