import { launchCluster } from "@millrace/nats-server";
import { connect } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { patientManager } from "../harness/administrator.ts";
// As told, also where everything else is made with three copies.
import { connectBroker } from "../../packages/broker-nats/src/index.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`a cluster of three (${nameOf(target)})`, () => {
    test("a bucket that was raised to three copies is read from its leader, and no replica answers any more", async () => {
      if (target.state === "missing") return;
      await using cluster = await launchCluster({ path: target.path });
      const servers = [...cluster.urls];
      await using nc = await connect({ servers, noAsyncTraces: true });
      const jsm = await patientManager(nc);
      const stream = "KV_millrace-peeked";
      const allowsDirect = async (): Promise<boolean> =>
        (await jsm.streams.info(stream)).config.allow_direct;

      const early = await connectBroker({ servers });
      const documents = await eventually(() => early.documents("peeked").catch(() => undefined), {
        withinMs: 30_000,
        describe: "a bucket",
      });
      await documents.put("a", 1);
      const peeked = (): Promise<boolean> => documents.peek("a").then((one) => one?.value === 1);
      await eventually(async () => (await peeked()) && allowsDirect(), {
        withinMs: 20_000,
        describe: "direct gets of the one copy",
      });
      await early.close();

      const { config } = await jsm.streams.info(stream);
      await jsm.streams.update(stream, { ...config, num_replicas: 3 });
      expect(await allowsDirect()).toBe(true);
      const late = await connectBroker({ servers });
      const raised = await late.documents("peeked");
      await eventually(
        async () => (await raised.peek("a"))?.value === 1 && !(await allowsDirect()),
        { withinMs: 20_000, describe: "no direct gets of three copies" },
      );
      for (let n = 0; n < 50; n += 1) {
        const revision = await raised.put("a", n);
        expect(await raised.peek("a")).toMatchObject({ value: n, revision });
      }
      await late.close();
    });
  });
}
