import { jetstream } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { connect, defineJob } from "millrace";
import { expect, it, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(120_000) });

const pay = defineJob<null>({ name: "pay", queue: "bank", steps: true, retry: "none" });

describeServer("a job whose producer wrote no createdAt", "newest", (server) => {
  it("goes on behind its recorded steps when its letter is retried", async () => {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());
    await client.queues.ensure("bank");
    const charged: string[] = [];
    let isUp = false;
    const handler = pay.handler(async ({ step }) => {
      await step.run("charge", ({ key }) => void charged.push(key));
      await step.run("receipt", () => {
        if (!isUp) throw new Error("mail is down");
      });
    });
    await startNodeOnServer(server, { namespace, jobs: [handler] });
    const nc = await connectNats({ servers: server.url });
    cleanUpLater(() => nc.close());
    const body = '{"name":"pay","payload":null}';
    await jetstream(nc).publish(`${namespace}.jobs.bank`, body, { msgID: "order-7" });

    const within = { withinMs: 30_000 };
    const isDead = async (): Promise<boolean> => (await client.dead.list()).length === 1;
    await eventually(isDead, { ...within, describe: "it is dead" });
    isUp = true;
    expect(await client.dead.retry({ queue: "bank" })).toMatchObject([{ ok: true }]);
    const hasSucceeded = async (): Promise<boolean> =>
      (await client.job("order-7"))?.state === "succeeded";
    await eventually(hasSucceeded, { ...within, describe: "it has succeeded" });
    expect(charged).toHaveLength(1);
  });
});
