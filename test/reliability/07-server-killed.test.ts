import { expect, it } from "vitest";
import { describeEachServer } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";
import { ledgerNowMs } from "./oracle/ledger-entry.ts";

const JOBS = 400;
/**
 * A server writes down in whole seconds when it delivered what. After its death a lease may end a
 * second early, and on a busy machine it takes another until nodes can extend theirs again.
 */
const LEASE_MS = 4_000;

describeEachServer("7: the server killed under load, twice", (server) => {
  it("nodes and producers come back by themselves, and nothing is lost", async () => {
    const trial = await Trial.start(server);
    const nodes = await Promise.all(
      ["a", "b"].map((name) => trial.node(name, { leaseMs: LEASE_MS })),
    );
    const producer = trial.producer("p", {
      jobs: JOBS,
      batch: 20,
      failEvery: 10,
      workMs: 10,
      pauseMs: 50,
    });
    for (const seen of [100, 250]) {
      await producer.message(
        (said): said is { confirmed: number } => (said as { confirmed: number }).confirmed >= seen,
        60_000,
      );
      const over = trial.fault("the server is killed", "repeated-attempt", "stale-effect");
      await server.kill();
      await server.restart();
      // A cluster is not back before all copies are current: until then a leader may still lose its
      // place.
      await server.calm();
      // What was unsettled may run again, until the leases of that moment are over.
      over(LEASE_MS);
    }
    expect(await producer.exit(90_000)).toEqual({ code: 0, signal: null });
    expect(producer.output()).toContain(`confirmed ${JOBS}`);
    await trial.drained();

    // Pulls go on: a new job is taken at once, by nodes that were never restarted.
    const publishedMs = ledgerNowMs();
    await trial.publish({ afterwards: { do: "work" } });
    await Promise.race(nodes.map((node) => node.heard("started", "afterwards")));
    const pickupMs = Math.round(ledgerNowMs() - publishedMs);
    await trial.drained();
    const counts = await trial.expectClean();
    console.log(
      `pickup ${pickupMs} ms after the outages; ${counts.repeats} of ${counts.runs} runs were repeats`,
    );
    expect(counts).toMatchObject({ confirmed: JOBS + 1, succeeded: JOBS + 1, dead: 0 });
  });
});
