import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { launchCluster } from "@millrace/nats-server";
import { connect } from "millrace";
import { describe, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { REPLICAS } from "../harness/cluster/mode.ts";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

/**
 * A leader of 2.10 that was just elected answers before it has applied what the one before it
 * confirmed (`switchToLeader` in its raft.go; from 2.11 on it waits). No test can hold one there,
 * so what is tested is that nothing is read before a write of ours has come through.
 */
for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(
    `what a run is told is on record (${nameOf(target)})`,
    () => {
      test("is read behind a write where a new leader may answer too soon, and the write is no step", async () => {
        if (target.state === "missing") return;
        outOfCluster();
        const cluster = await launchCluster({ path: target.path });
        cleanUpLater(() => cluster.dispose());
        const options = {
          servers: [...cluster.urls],
          namespace: "r3",
          replicas: REPLICAS,
          env: {},
        };
        await using client = await connect(options);
        const { journal } = client.broker;
        await using nc = await connectNats({ servers: [...cluster.urls] });
        const jsm = await jetstreamManager(nc);
        const run = { queue: "orders", id: "o-1", createdAt: 1 };
        expect(await journal.read(run, { toRun: true })).toEqual([]);
        const data = Uint8Array.of(1);
        const { revision } = await journal.write(run, { name: "charge", n: 0 }, data);
        const before = (await jsm.streams.info("r3-journal")).state.last_seq;
        for (const read of [{ toRun: true }, { toRun: true }, {}])
          expect(
            (await journal.read(run, read)).map((step) => [...step.data, step.revision]),
          ).toEqual([[1, revision]]);
        const { last_seq } = (await jsm.streams.info("r3-journal")).state;
        expect(last_seq - before).toBe(target.generation === "2.10" ? 2 : 0);
        await journal.remove(run);
        expect((await jsm.streams.info("r3-journal")).state.messages).toBe(0);
      }, 240_000);
    },
  );
}
