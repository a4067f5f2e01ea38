import { CONTROLS_BUCKET, defineJob, type Logger, silentLogger } from "@millrace/core";
import { connect } from "millrace";
import { expect, test } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

describeEachServer("a pause", (server) => {
  test("is known at once to a node whose watch has just died, though its connection lives", async () => {
    // What is measured is the hearing, and an election would come between.
    await server.calm();
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());
    const job = defineJob({ name: "t", queue: "work" });
    const [began, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    cleanUpLater(end.resolve);
    const ran: string[] = [];
    let changes = 0;
    const log: Logger = {
      ...silentLogger,
      info: (_fields, message) => {
        if (message === "the controls of a queue have changed") changes += 1;
      },
      child: () => log,
    };
    const handled = job.handler(async ({ job: { id } }) => {
      ran.push(id);
      began.resolve();
      await end.promise;
    });
    await startNodeOnServer(server, { namespace, jobs: [handled], slots: 1, log });
    const busy = await client.enqueue(job, null, { id: "busy" });
    await began.promise;
    await client.enqueue(job, null, { id: "waits" });
    // As when the member of a cluster dies that had the watch's consumer; the node notices by
    // missed heartbeats, seconds later.
    const { jsm } = await administrator(server);
    const stream = `KV_${namespace}-${CONTROLS_BUCKET}`;
    for (const { name } of await jsm.consumers.list(stream).next())
      await jsm.consumers.delete(stream, name);
    await client.queues.pause("work");
    await eventually(() => changes > 0, {
      withinMs: patient(2_000),
      describe: "the node knows of the pause",
    });
    end.resolve();
    await busy.result({ timeout: patient(20_000) });
    expect(await client.queues.snapshot("work")).toMatchObject({ queued: 1, running: 0 });
    expect(ran).toEqual(["busy"]);
  }, 180_000);
});
