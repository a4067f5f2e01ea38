import { jetstreamManager, type StreamConfig } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { connectBroker } from "@millrace/broker-nats";
import { launchCluster } from "@millrace/nats-server";
import { createNode } from "@millrace/runtime";
import { connect, defineJob } from "millrace";
import { describe, expect, test } from "vitest";
import { delayedStream, timerStream } from "../../packages/broker-nats/src/topology/streams.ts";
import { Names } from "../../packages/broker-nats/src/topology/subjects.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { untilAnswered } from "../harness/cluster/until-answered.ts";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

const WITHIN_MS = 60_000;
const NAMES = new Names("up");
const SHUT = { create: {}, update: {} };

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing" || target.generation === "2.10")(
    `a cluster whose servers are upgraded one by one (${nameOf(target)})`,
    () => {
      test("no node takes streams that are there away from servers that may be old; delayed jobs run all the same", async () => {
        if (target.state === "missing") return;
        outOfCluster();
        const cluster = await launchCluster({ path: target.path });
        cleanUpLater(() => cluster.dispose());
        const servers = [...cluster.urls];
        const nc = await connectNats({ servers });
        cleanUpLater(() => nc.close());
        const jsm = await jetstreamManager(nc);
        // As nodes made them on the older servers.
        for (const { create } of [delayedStream(NAMES, SHUT, 3), timerStream(NAMES, SHUT, 3)])
          await untilAnswered(() => jsm.streams.add(create));
        const configOf = (stream: string): Promise<StreamConfig> =>
          untilAnswered(async () => (await jsm.streams.info(stream)).config);

        const ran: string[] = [];
        const later = defineJob({ name: "later", queue: "work" }).handler(({ job }) => {
          ran.push(job.id);
        });
        const broker = await connectBroker({ servers, namespace: "up", replicas: 3 });
        const node = createNode({ broker, jobs: [later], grace: "1s" });
        cleanUpLater(async () => {
          await node.stop();
          await broker.close();
        });
        await node.start();
        await untilAnswered(() => broker.inbox.ticksAsked());
        await using client = await connect({ servers, namespace: "up", replicas: 3, env: {} });
        const { id } = await client.enqueue(later, undefined, { delay: "2s" });
        await eventually(() => ran.includes(id), {
          withinMs: WITHIN_MS,
          describe: "the delayed job has run",
        });

        for (const stream of [NAMES.delayedStream, NAMES.timerStream])
          expect((await configOf(stream)).allow_msg_schedules ?? false, stream).toBe(false);
      });
    },
  );
}
