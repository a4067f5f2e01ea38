import { UNSETTLED } from "@millrace/core";
import { connect as connectNats } from "@nats-io/transport-node";
import { launchCluster } from "@millrace/nats-server";
import { connect, createNode, defineJob } from "millrace";
import { describe, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { REPLICAS } from "../harness/cluster/mode.ts";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

const PURGE = "$JS.API.STREAM.PURGE.";
const ship = defineJob({ name: "orders.ship", queue: "orders" });

/**
 * A leader of 2.10 that was just elected answers before it has applied what the one before it
 * confirmed (`switchToLeader` in its raft.go), and one of any version that stood still answers
 * before it hears of the next. No test can hold one there, so what is tested is that what nobody
 * looks at again is read behind a purge of nothing.
 */
for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`what is looked at once (${nameOf(target)})`, () => {
    test("is read behind a barrier, which nothing else is", async () => {
      if (target.state === "missing") return;
      outOfCluster();
      const cluster = await launchCluster({ path: target.path });
      cleanUpLater(() => cluster.dispose());
      // Both at one member, so that what the client asks is heard in its order.
      const [url = ""] = cluster.urls;
      const options = { servers: url, namespace: "r3", replicas: REPLICAS };
      await using client = await connect({ ...options, env: {} });
      const { journal, signals, delayed, blocked, batches } = client.broker;
      // It makes the streams: one that is missing would be asked again until its absence counts.
      const node = await createNode({ ...options, env: {}, jobs: [ship.handler(() => null)] });
      await node.start();
      await node.stop();
      await using nc = await connectNats({ servers: url });
      const purged: string[] = [];
      nc.subscribe(`${PURGE}>`, {
        callback: (_error, { subject, data }) => {
          if (Buffer.from(data).includes("r3.nothing")) purged.push(subject.slice(PURGE.length));
        },
      });
      await nc.flush();
      const run = { queue: "orders", id: "o-1", createdAt: 1 };
      const signal = { queue: "orders", id: "o-1", name: "go" };
      expect(await journal.read(run, { once: true })).toEqual([]);
      expect(await signals.read(signal)).toEqual([]);
      const data = Uint8Array.of(1);
      const { revision } = await journal.write(run, { name: "charge", n: 0 }, data);
      await signals.send(signal, { data });
      purged.length = 0;

      expect(await journal.read(run)).toMatchObject([{ revision }]);
      expect(await journal.read(run, { once: true })).toMatchObject([{ revision }]);
      expect(await signals.read(signal)).toHaveLength(1);
      expect(await delayed.of(signal)).toEqual([]);
      await nc.flush();
      expect(purged).toEqual(["r3-journal", "r3-signals", "r3-delayed"]);
      purged.length = 0;

      for (const once of [false, true]) {
        expect(await delayed.newest({ once })).toBeGreaterThanOrEqual(0);
        expect(await blocked.newest({ once })).toBeGreaterThanOrEqual(0);
      }
      await nc.flush();
      expect(purged).toEqual(["r3-delayed", "r3-blocked"]);
      purged.length = 0;

      const callback = { ...UNSETTLED, queue: "orders", name: "all", payload: null, createdAt: 1 };
      const batch = { id: "b-1", createdAt: 1, callback: { ...callback, id: "b-1", headers: {} } };
      expect(await batches.find("b-1")).toBeUndefined();
      await batches.open(batch);
      expect(await batches.find("b-1")).toMatchObject({ id: "b-1" });
      await nc.flush();
      expect(purged).toEqual(["r3-batches"]);
      const { inbox } = client.broker;
      const machine = { machine: "order", id: "o-1" };
      await inbox.send(machine, { kind: "event", data });
      purged.length = 0;

      const event = await inbox.next(machine, 1);
      expect(event).toMatchObject(machine);
      const { place = "", sequence = 0 } = event ?? {};
      expect(await inbox.has(place)).toBe(true);
      await nc.flush();
      expect(purged).toEqual([]);
      expect(await inbox.next(machine, sequence + 1)).toBeUndefined();
      expect(await inbox.has(`inbox/${sequence + 1}`)).toBe(false);
      expect(await inbox.has(`timers/${sequence + 1}`)).toBe(false);
      await nc.flush();
      expect(purged).toEqual(["r3-inbox", "r3-inbox", "r3-timers"]);
    }, 240_000);
  });
}
