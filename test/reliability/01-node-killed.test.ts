import { expect, it } from "vitest";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";
import { ledgerNowMs } from "./oracle/ledger-entry.ts";
import type { DiePoint, Work } from "./programs/work.ts";

const RERUN_SLACK_MS = 5_000;

describeEachServer("1: a node killed with SIGKILL", (server) => {
  it("before its job runs: the job runs elsewhere, its attempt unspent", async () => {
    const { runs } = await killAt(server, "before-run", { do: "work" });
    expect(runs).toEqual(["b attempt 1"]);
  });

  it("while its job runs: likewise", async () => {
    const { runs } = await killAt(server, "mid-run", { do: "work" });
    expect(runs).toEqual(["a attempt 1", "b attempt 1"]);
  });

  it("after the effect: likewise, and the second run's token is larger", async () => {
    const { runs, counts } = await killAt(server, "after-effect", { do: "work" });
    expect(runs).toEqual(["a attempt 1", "b attempt 1"]);
    expect(counts).toMatchObject({ effects: 2, refusedEffects: 0 });
  });

  it("after the retry was published: there is one retry, though the failed attempt is run again", async () => {
    const { runs } = await killAt(server, "after-requeue", { do: "fail", times: 1 });
    expect(runs.toSorted()).toEqual(["a attempt 1", "b attempt 1", "b attempt 2"]);
  });

  it("before the ack: what has its outcome is not run again", async () => {
    const { runs } = await killAt(server, "before-ack", { do: "work" });
    expect(runs).toEqual(["a attempt 1"]);
  });
});

/** Node `a` dies at the point, node `b` is there when the lease has run out. */
async function killAt(server: TestServer, dieAt: DiePoint, work: Work) {
  const trial = await Trial.start(server);
  // With one slot it can't take the retry it has published before it dies.
  const a = await trial.node("a", { dieAt, slots: 1 });
  await trial.publish({ job: work });
  const { exit, atMs } = await trial.death(a);
  expect(exit.signal).toBe("SIGKILL");
  const b = await trial.node("b");
  const readyMs = ledgerNowMs();
  const { state } = await b.heard("settled", "job", trial.leaseMs + RERUN_SLACK_MS);
  expect(state).toBe(dieAt === "before-ack" ? "recalled" : "succeeded");
  await trial.drained(trial.leaseMs + RERUN_SLACK_MS);

  const started = trial.ledger.filter(({ event }) => event === "started");
  const rerun = started.find(({ process }) => process === "b");
  const rerunMs = rerun === undefined ? undefined : Math.round(rerun.atMs - atMs);
  // A slow machine may take longer to start the other node than the lease lasts.
  const waitedMs = rerun === undefined ? 0 : rerun.atMs - Math.max(atMs, readyMs);
  console.log(`${dieAt}: run again after ${rerunMs ?? "-"} ms of a lease of ${trial.leaseMs} ms`);
  expect(waitedMs).toBeLessThan(trial.leaseMs + RERUN_SLACK_MS);
  return {
    runs: started.map(
      (entry) => `${entry.process} attempt ${"attempt" in entry ? entry.attempt : 0}`,
    ),
    counts: await trial.expectClean(),
  };
}
