import { expect, it } from "vitest";
import { describeEachServer } from "../harness/servers.ts";
import { Trial, type TrialNode } from "./harness/trial.ts";
import { ledgerNowMs } from "./oracle/ledger-entry.ts";
import { deliveryOf, type Work } from "./programs/work.ts";

const GRACE_MS = 3_000;
/** From the end of the grace to the end of the process: closing the connection. */
const EXIT_SLACK_MS = 500;
const FAR_LONGER_MS = 60_000;

describeEachServer("5: SIGTERM under load", (server) => {
  it("ends within the grace; short jobs finish, long ones go back unspent, nothing is lost", async () => {
    const trial = await Trial.start(server);
    const a = await trial.node("a", { graceMs: GRACE_MS, slots: 8 });
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
    await producer.exit(60_000);

    await trial.node("b");
    await trial.drained();
    const counts = await trial.expectClean();
    // Only the one that could not be stopped, and the one that did stop, ran a second time.
    expect(counts).toMatchObject({
      confirmed: 302,
      succeeded: 302,
      dead: 0,
      runs: 304,
      repeats: 1,
    });
    const records = await trial.records();
    expect(
      records.filter(({ attempts, state }) => state === "succeeded" && attempts !== 1),
    ).toEqual([]);
    // Handing back does not look like a crash: every message is delivered for the first time.
    const deliveries = trial.ledger.flatMap((entry) =>
      entry.event === "started" ? deliveryOf(entry.token) : [],
    );
    expect(new Set(deliveries)).toEqual(new Set([1]));
  });

  it("a second SIGTERM hands back at once", async () => {
    const trial = await Trial.start(server);
    const a = await trial.node("a", { graceMs: 30_000 });
    const jobs = Object.fromEntries(["one", "two"].map((id) => [id, long]));
    await trial.publish(jobs);
    for (const id of Object.keys(jobs)) await a.heard("started", id);
    const over = trial.fault("SIGTERM twice", "repeated-attempt");
    a.signal("SIGTERM");
    await a.line(/node is draining/, 30_000);
    const { tookMs } = await terminate(a);
    over();
    console.log(`ended ${tookMs} ms after the second SIGTERM`);
    expect(tookMs).toBeLessThan(2_000);
    await trial.node("b");
    await trial.drained();
    expect(await trial.expectClean()).toMatchObject({ succeeded: 2, runs: 4 });
  });
});

const long: Work = { do: "work", ms: FAR_LONGER_MS, laterMs: 0 };

async function terminate(node: TrialNode): Promise<{ readonly tookMs: number }> {
  const atMs = ledgerNowMs();
  node.signal("SIGTERM");
  expect(await node.exit(60_000)).toEqual({ code: 0, signal: null });
  return { tookMs: Math.round(ledgerNowMs() - atMs) };
}
