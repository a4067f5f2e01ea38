import { expect, it } from "vitest";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { together } from "./harness/together.ts";
import { Trial } from "./harness/trial.ts";
import { ledgerNowMs } from "./oracle/ledger-entry.ts";
import type { DiePoint, Work } from "./programs/work.ts";

const RERUN_SLACK_MS = 15_000;
/** How the job is settled by the other node, where that is no success. */
const STATES: Partial<Record<DiePoint, string>> = {
  "before-ack": "recalled",
  "after-bury": "dead",
};

describeEachServer("1: a node killed with SIGKILL", (server) => {
  it("leaves its job to another one, its attempt unspent, wherever it was killed", async () => {
    const works: Work = { do: "work" };
    await together({
      "before the job runs": async () => {
        const { runs } = await killAt(server, "before-run", works);
        expect(runs).toEqual(["b attempt 1"]);
      },
      "while it runs": async () => {
        const { runs } = await killAt(server, "mid-run", works);
        expect(runs).toEqual(["a attempt 1", "b attempt 1"]);
      },
      "after its effect": async () => {
        const { runs, counts } = await killAt(server, "after-effect", works);
        expect(runs).toEqual(["a attempt 1", "b attempt 1"]);
        expect(counts).toMatchObject({ effects: 2, refusedEffects: 0 });
      },
      "after its retry was published": async () => {
        const { runs } = await killAt(server, "after-requeue", { do: "fail", times: 1 });
        // The failed attempt is not made again: its retry is there.
        expect(runs).toEqual(["a attempt 1", "b attempt 2"]);
      },
      "after its letter was written": async () => {
        const { runs, counts } = await killAt(server, "after-bury", { do: "fail", times: 99 });
        expect(runs.filter((run) => run.startsWith("b"))).toEqual([]);
        expect(counts).toMatchObject({ dead: 1, succeeded: 0 });
      },
      "before its ack": async () => {
        const { runs } = await killAt(server, "before-ack", works);
        expect(runs).toEqual(["a attempt 1"]);
      },
    });
  });
});

/** Node `a` dies at the point, node `b` is there when the lease has run out. */
async function killAt(server: TestServer, dieAt: DiePoint, work: Work) {
  const trial = await Trial.start(server);
  // With one slot it can't take the retry it has published before it dies.
  const a = await trial.node("a", { dieAt, slots: 1 });
  // Runs are counted and timed here, of a lease that is shorter than an election.
  await server.calm();
  await trial.publish({ job: work });
  const { exit, atMs } = await trial.death(a);
  expect(exit.signal).toBe("SIGKILL");
  const b = await trial.node("b");
  const readyMs = ledgerNowMs();
  const { state } = await b.heard("settled", "job", trial.leaseMs + RERUN_SLACK_MS);
  expect(state).toBe(STATES[dieAt] ?? "succeeded");
  await trial.drained();

  const started = trial.ledger.filter((entry) => entry.event === "started");
  const rerun = started.find(({ process }) => process === "b");
  const after =
    rerun === undefined ? "not run again" : `run again after ${Math.round(rerun.atMs - atMs)} ms`;
  console.log(`${dieAt}: ${after}, of a lease of ${trial.leaseMs} ms`);
  // A slow machine may take longer to start the other node than the lease lasts.
  const waitedMs = rerun === undefined ? 0 : rerun.atMs - Math.max(atMs, readyMs);
  expect(waitedMs).toBeLessThan(trial.leaseMs + RERUN_SLACK_MS);
  return {
    runs: started.map(({ process, attempt }) => `${process} attempt ${attempt}`),
    counts: await trial.expectClean(),
  };
}
