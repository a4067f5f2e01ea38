import { expect, it } from "vitest";
import { patient } from "../harness/cluster/mode.ts";
import { describeEachServer } from "../harness/servers.ts";
import { Trial, type TrialNode } from "./harness/trial.ts";
import { aliveOverTime, type Death, livesOf } from "./oracle/alive.ts";
import type { Work } from "./programs/work.ts";

const LIMIT = 3;
const JOBS = 90;
/**
 * From a killed holder's last renewal until its permits are used again: its lease, the sweeper's
 * period, and a busy machine's slack.
 */
const RETURN_MS = patient(3_000 + 5_000 + 8_000);

describeEachServer("16: a cap over the fleet whose holders are killed", (server) => {
  it("never lets more run than the limit, and gets the permits of the dead back", async () => {
    const trial = await Trial.start(server);
    const choices = { cap: LIMIT, slots: 8 };
    const nodes = await Promise.all(["a", "b"].map((name) => trial.node(name, choices)));
    const jobs: Record<string, Work & { tenant: string }> = {};
    for (let n = 0; n < JOBS; n += 1)
      jobs[`j${n}`] = { do: "work", ms: 200, laterMs: 200, tenant: "acme" };
    await trial.publish(jobs);

    const deaths: Death[] = [];
    const kill = async (node: TrialNode): Promise<void> => {
      const death = trial.death(node);
      node.signal("SIGKILL");
      deaths.push({ process: node.name, atMs: (await death).atMs });
    };
    // Each is killed while it runs jobs, and another comes.
    for (const next of ["c", "d"]) {
      const [oldest] = nodes;
      if (oldest === undefined) throw new Error("no node is left");
      await untilItRuns(oldest);
      await kill(oldest);
      nodes.shift();
      nodes.push(await trial.node(next, choices));
    }
    await trial.drained(60_000);
    expect(await trial.expectClean()).toMatchObject({ succeeded: JOBS });

    const over = aliveOverTime(livesOf(trial.ledger, deaths));
    expect(Math.max(...over.map(({ alive }) => alive))).toBe(LIMIT);
    for (const { atMs } of deaths) {
      const full = over.find((moment) => moment.atMs > atMs && moment.alive === LIMIT);
      // The last jobs may be too few to fill it.
      if (full === undefined) continue;
      console.log(`full again ${Math.round(full.atMs - atMs)} ms after the kill`);
      expect(full.atMs - atMs).toBeLessThan(RETURN_MS);
    }
    expect(
      over.some(({ atMs, alive }) => atMs > (deaths[0]?.atMs ?? Infinity) && alive === LIMIT),
    ).toBe(true);

    async function untilItRuns(node: TrialNode): Promise<void> {
      await node.message(
        (message): message is unknown => (message as { say?: string }).say === "started",
        30_000,
      );
    }
  });

  it("has a job run once whose holder was killed between the step that blocked it and its record", async () => {
    const trial = await Trial.start(server);
    const keeper = await trial.node("keeper", { cap: 1, slots: 1 });
    // In an election the first job's lease and permit run out, and whoever gets it next lets the
    // second in.
    await server.calm();
    await trial.publish({ first: { do: "hold", deliveries: 1 } });
    await keeper.heard("started", "first");
    // The keeper has no slot, so this one gets the second job, and finds no permit.
    const killed = await trial.node("killed", { cap: 1, slots: 1, dieAt: "after-block" });
    await trial.publish({ second: { do: "work" } });
    await trial.death(killed);
    expect(await trial.broker.blocked.count()).toBe(1);
    // Let in with the keeper's permit. Its former message comes again a lease later, and finds the
    // gate open.
    keeper.release("first");
    await keeper.heard("ended", "second");
    await trial.drained();
    expect(await trial.expectClean()).toMatchObject({ succeeded: 2, repeats: 0, runs: 2 });
    // Whoever meets the former message finds the later generation, or its end, and writes nothing
    // of its own.
    const records = await trial.broker.history.read({ id: "second" });
    expect(records.at(-1)).toMatchObject({ state: "succeeded", generation: 1 });
    expect(records.slice(0, -1).every(({ outcome }) => outcome === "blocked")).toBe(true);
  });
});
