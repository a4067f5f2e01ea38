import { expect, it } from "vitest";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";
import { aliveOverTime, idleStretches, type Life, livesOf } from "./oracle/alive.ts";
import { ledgerNowMs } from "./oracle/ledger-entry.ts";
import type { Work } from "./programs/work.ts";

const LIMIT = 2;
const TENANTS = ["acme", "bolt", "core"];
const JOBS = 120;
const KILLS = 5;
/** Far longer than the outages, so that what waits for the end of a lease shows. */
const LEASE_MS = 20_000;
/**
 * From the server's return until each key with waiting jobs runs again: what was tried in the
 * outage is tried again within a second, on a busy machine. Far shorter than the lease.
 */
const RETURN_MS = patient(12_000);

describeEachServer("16: a cap over the fleet whose server is killed", (server) => {
  it("never lets more run than the limit while all nodes live, and no key waits for a lease", async () => {
    const trial = await Trial.start(server);
    await Promise.all(
      ["a", "b", "c"].map((name) => trial.node(name, { cap: LIMIT, slots: 4, leaseMs: LEASE_MS })),
    );
    const jobs: Record<string, Work & { tenant: string }> = {};
    for (let n = 0; n < JOBS; n += 1)
      for (const tenant of TENANTS)
        jobs[`${tenant}-${n}`] = { do: "work", ms: 40, heed: true, tenant };
    await trial.publish(jobs);

    const outages: { readonly fromMs: number; readonly untilMs: number }[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      // At different moments of what goes on.
      const seen = 12 + kill * 47;
      await eventually(() => startsIn(trial) >= seen, {
        withinMs: patient(60_000),
        describe: () => `${seen} runs have begun (${startsIn(trial)})`,
      });
      const fromMs = ledgerNowMs();
      await server.kill();
      await server.restart();
      await server.calm();
      outages.push({ fromMs, untilMs: ledgerNowMs() });
    }
    await trial.drained(patient(90_000));

    for (const tenant of TENANTS) {
      const lives = livesOf(
        trial.ledger.filter((entry) => "id" in entry && entry.id.startsWith(`${tenant}-`)),
        [],
      );
      expect(new Set(lives.map(({ id }) => id)).size).toBe(JOBS);
      const over = aliveOverTime(lives);
      expect(over.filter(({ alive }) => alive > LIMIT)).toEqual([]);
      const longest = longestAfter(lives, outages);
      console.log(
        `${tenant}: ${lives.length} runs, idle for ${longest} ms after an outage at most`,
      );
      expect(longest).toBeLessThan(RETURN_MS);
    }
  });
});

function startsIn(trial: Trial): number {
  return trial.ledger.filter(({ event }) => event === "started").length;
}

/**
 * How long nobody of the key ran once the server was there again, while jobs of it were left to
 * run.
 */
function longestAfter(
  lives: readonly Life[],
  outages: readonly { readonly fromMs: number; readonly untilMs: number }[],
): number {
  const idle = idleStretches(lives).map(({ fromMs, untilMs }) => {
    const returns = outages.filter((outage) => outage.fromMs < untilMs && outage.untilMs > fromMs);
    return untilMs - Math.max(fromMs, ...returns.map((outage) => outage.untilMs));
  });
  return Math.round(Math.max(0, ...idle));
}
