import { globSync, rmSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";
import { QUEUE } from "./programs/work.ts";

/**
 * Nobody's lease runs out while the test looks: what comes is what the server believes to be new.
 */
const LEASE_MS = 30_000;

describeEachServer(
  "7: the server killed, with no memory of what it delivered",
  (server) => {
    it.each(["was there all along", "was started afterwards"])(
      "a job whose end is on record is not run again, by a node that %s",
      async (which) => {
        const trial = await Trial.start(server);
        const a = await trial.node("a", { dieAt: "before-ack", leaseMs: LEASE_MS, slots: 1 });
        await trial.publish({ job: { do: "work" } });
        await trial.death(a);
        const early = which === "was there all along";
        const there = early ? await trial.node("b", { leaseMs: LEASE_MS }) : undefined;
        const over = trial.fault("the server is killed", "stale-effect");
        await server.kill();
        forgetDeliveries(server);
        await server.restart();
        over();
        const b = there ?? (await trial.node("b", { leaseMs: LEASE_MS }));
        expect((await b.heard("settled", "job", LEASE_MS / 2)).state).toBe("recalled");
        await trial.drained();
        expect(await trial.expectClean()).toMatchObject({ runs: 1, succeeded: 1, repeats: 0 });
        // It was the consumer's first: the fault was really there.
        expect(await deliveries(server, trial.namespace)).toBe(1);
      },
    );
  },
  { singleServer: "a server's files are changed while it is down" },
);

/**
 * The server writes what its consumers have delivered from time to time. Here it did not come to
 * it.
 */
function forgetDeliveries(server: TestServer): void {
  const states = globSync(join(server.launched.storeDir, "**/obs/*/o.dat"));
  expect(states.length).toBeGreaterThan(0);
  for (const state of states) rmSync(state);
}

/** All that the queue's consumers know of. */
async function deliveries({ url }: TestServer, namespace: string): Promise<number> {
  const nc = await connect({ servers: url });
  try {
    const consumers = (await jetstreamManager(nc)).consumers.list(`${namespace}-queue-${QUEUE}`);
    let count = 0;
    for await (const { delivered } of consumers) count += delivered.consumer_seq;
    return count;
  } finally {
    await nc.close();
  }
}
