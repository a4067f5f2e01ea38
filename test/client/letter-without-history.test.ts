import { connect, defineJob } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const PATIENCE_MS = 60_000;
const fails = (queue: string) => defineJob({ name: `${queue}.fails`, queue, retry: "none" });
const [mail, paper] = [fails("mail"), fails("paper")];

describeEachServer("a dead letter whose job the history has forgotten", (server) => {
  test("is its job's state for as long as it is there", async () => {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    const fail = (): never => {
      throw new TypeError("no paper");
    };
    await startNodeOnServer(server, {
      namespace,
      jobs: [mail.handler(fail), paper.handler(fail)],
    });
    await client.enqueue(mail, undefined, { id: "one" });
    for (const job of [mail, paper]) await client.enqueue(job, undefined, { id: "two" });
    await eventually(async () => (await client.dead.list()).length === 3, {
      withinMs: PATIENCE_MS,
      describe: "all are dead",
    });
    const { jsm } = await administrator(server);
    await jsm.streams.purge(`${namespace}-history`);
    expect(await client.job("one")).toMatchObject({
      ...{ id: "one", name: "mail.fails", queue: "mail", state: "dead", attempts: 1 },
      ...{ history: [], error: { type: "TypeError", message: "no paper" } },
    });
    expect(await client.job("two", { queue: "paper" })).toMatchObject({ queue: "paper" });
    await expect(client.job("two")).rejects.toMatchObject({ code: "ambiguous-id" });
    await client.dead.discard({ id: "one" });
    await expect(client.job("one")).rejects.toMatchObject({ code: "job-not-found" });
  });
});
