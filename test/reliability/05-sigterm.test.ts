import { expect, it } from "vitest";
import { clusterMode, lasting } from "../harness/cluster/mode.ts";
import { describeEachServer } from "../harness/servers.ts";
import { Trial, type TrialNode } from "./harness/trial.ts";
import { ledgerNowMs } from "./oracle/ledger-entry.ts";
import { deliveryOf, type Work } from "./programs/work.ts";

/** A busy machine has time in it for handing back and for the end of the process. */
const GRACE_MS = 10_000;
/**
 * For what a busy machine adds; the handlers take far longer. That the grace is kept exactly, is
 * shown in simulated time (runtime's stop.test.ts).
 */
const EXIT_SLACK_MS = 5_000;
const FAR_LONGER_MS = 60_000;
const SLOTS = 8;
const LONG_GRACE_MS = 30_000;
/** A leader that is missing keeps a hurried node for what it has for handing back and closing. */
const AT_ONCE_MS = 10_000 + (clusterMode() === undefined ? 0 : LONG_GRACE_MS * 0.15);

describeEachServer("5: SIGTERM under load", (server) => {
  const leaseMs = lasting(3_000);

  it("ends within the grace; short jobs finish, long ones go back unspent, nothing is lost", async () => {
    const trial = await Trial.start(server);
    const a = await trial.node("a", { graceMs: GRACE_MS, slots: SLOTS, leaseMs });
    await trial.publish({
      heeding: { do: "work", ms: FAR_LONGER_MS, laterMs: 0, heed: true },
      deaf: { do: "work", ms: FAR_LONGER_MS, laterMs: 0 },
    });
    for (const id of ["heeding", "deaf"]) await a.heard("started", id);
    const producer = trial.producer("p", { jobs: 300, batch: 30, workMs: 20 });
    await a.heard("settled", "p-20");

    const over = trial.fault("SIGTERM, with a handler that ignores its signal", "repeated-attempt");
    const { tookMs } = await terminate(a);
    over();
    console.log(`ended ${tookMs} ms after SIGTERM, with a grace of ${GRACE_MS} ms`);
    expect(tookMs).toBeLessThan(GRACE_MS + EXIT_SLACK_MS);
    await producer.exit(90_000);

    await trial.node("b", { leaseMs });
    await trial.drained();
    const counts = await trial.expectClean();
    expect(counts).toMatchObject({ confirmed: 302, succeeded: 302, dead: 0 });
    const more = mayRunAgain(trial, a);
    // Only the one that could not be stopped, and the one that did stop, ran a second time.
    expectWithin(counts.runs, 304, more);
    expectWithin(counts.repeats, 1, more);
    const records = await trial.records();
    expect(
      records.filter(({ attempts, state }) => state === "succeeded" && attempts !== 1),
    ).toEqual([]);
    // Handing back does not look like a crash: every message is delivered for the first time.
    const redelivered = trial.ledger.filter(
      (entry) => entry.event === "started" && deliveryOf(entry.token) !== 1,
    );
    expectWithin(redelivered.length, 0, more);
  });

  it("a second SIGTERM hands back at once", async () => {
    const trial = await Trial.start(server);
    const a = await trial.node("a", { graceMs: LONG_GRACE_MS, slots: SLOTS, leaseMs });
    const jobs = Object.fromEntries(["one", "two"].map((id) => [id, long]));
    await trial.publish(jobs);
    for (const id of Object.keys(jobs)) await a.heard("started", id);
    const over = trial.fault("SIGTERM twice", "repeated-attempt");
    a.signal("SIGTERM");
    await a.line(/node is draining/, 30_000);
    const { tookMs } = await terminate(a);
    over();
    console.log(`ended ${tookMs} ms after the second SIGTERM`);
    expect(tookMs).toBeLessThan(AT_ONCE_MS);
    await trial.node("b", { leaseMs });
    await trial.drained();
    const counts = await trial.expectClean();
    expect(counts).toMatchObject({ succeeded: 2 });
    expectWithin(counts.runs, 4, mayRunAgain(trial, a));
  });
});

const long: Work = { do: "work", ms: FAR_LONGER_MS, laterMs: 0 };

/**
 * None on a single server. While a leader is missing a node can hand nothing back, and says so; and
 * a leader that dies may have given out what a node has in its hands without telling the others.
 */
function mayRunAgain(trial: Trial, stopped: TrialNode): number {
  const line = stopped.output().find((said) => said.includes("could not be handed back")) ?? "";
  const leftBehind = Number(/"jobs":(\d+)/.exec(line)?.[1] ?? 0);
  if (clusterMode() === undefined) expect(leftBehind).toBe(0);
  return leftBehind + trial.faultsOfMembers.length * SLOTS;
}

function expectWithin(seen: number, least: number, more: number): void {
  expect(seen).toBeGreaterThanOrEqual(least);
  expect(seen).toBeLessThanOrEqual(least + more);
}

async function terminate(node: TrialNode): Promise<{ readonly tookMs: number }> {
  const atMs = ledgerNowMs();
  node.signal("SIGTERM");
  expect(await node.exit(90_000)).toEqual({ code: 0, signal: null });
  return { tookMs: Math.round(ledgerNowMs() - atMs) };
}
