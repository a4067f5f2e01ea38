import { connect, createNode, defineJob } from "millrace";
import { expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { describeEachServer } from "../harness/servers.ts";
import { millraceHere } from "./millrace.ts";

vi.setConfig({ testTimeout: patient(120_000) });

const order = defineJob<null>({ name: "order", queue: "orders", steps: true });

describeEachServer("millrace signal", (server) => {
  test("gives a waiting step its value, and the audit keeps all but the value", async () => {
    const namespace = server.namespace();
    const connection = { servers: server.url, namespace, env: {} };
    const client = await connect(connection);
    cleanUpLater(() => client.close());
    const node = await createNode({
      ...connection,
      jobs: [order.handler(({ step }) => step.waitFor("approval", { timeout: "7d" }))],
    });
    await node.start();
    cleanUpLater(() => node.stop());
    const handle = await client.enqueue(order, null, { id: "o-1" });

    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const signal = (...args: readonly string[]) =>
      millraceHere(["signal", ...args, "--json"], { env });
    expect((await signal("o-1", "no name", "--queue", "orders")).code).not.toBe(0);
    const sent = await signal("o-1", "approval", '{"note":"hunter2"}');
    expect(sent.json()).toEqual({ id: "o-1", queue: "orders", signal: "approval" });
    expect(await handle.result({ timeout: "1m" })).toEqual({ note: "hunter2" });

    const audit = await client.audit.list();
    const of = { queue: "orders", id: "o-1" };
    expect(audit).toMatchObject([
      {
        ...{ action: "jobs signal", filter: { ...of, signal: "approval" } },
        outcome: { state: "done", count: 1, failed: 0 },
      },
      {
        ...{ action: "jobs signal", filter: { ...of, signal: "no name" } },
        outcome: { state: "failed", code: "invalid-name" },
      },
    ]);
    expect(JSON.stringify(audit)).not.toContain("hunter2");
  });
});
