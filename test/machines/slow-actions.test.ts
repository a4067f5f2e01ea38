import { connect, createNode, defineMachine } from "millrace";
import { expect, it, vi } from "vitest";
import { setup } from "xstate";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(120_000) });

const slowUntil = (ended: Promise<void>) =>
  defineMachine({
    name: "slow",
    machine: setup({
      types: { events: {} as { type: "CALL" } | { type: "PING" } },
      actions: { call: () => ended as unknown as void },
    }).createMachine({
      initial: "open",
      states: { open: { on: { CALL: { actions: "call" }, PING: "pinged" } }, pinged: {} },
    }),
  });

describeEachServer("an action of a machine that does not end", (server) => {
  it("keeps no other machine of its name waiting", async () => {
    const ended = Promise.withResolvers<void>();
    const slow = slowUntil(ended.promise);
    const connection = { servers: server.url, namespace: server.namespace(), env: {} };
    const millrace = await connect(connection);
    cleanUpLater(() => millrace.close());
    const node = await createNode({ ...connection, jobs: [], machines: [slow] });
    await node.start();
    cleanUpLater(async () => {
      ended.resolve();
      await node.stop();
    });
    const stuck = millrace.machine(slow, "s-1");
    await stuck.start();
    for (let n = 0; n < 70; n += 1) await stuck.send({ type: "CALL" });
    const other = millrace.machine(slow, "s-2");
    await other.start();
    await other.send({ type: "PING" });
    const pinged = await other.waitFor(({ value }) => value === "pinged", { timeout: "60s" });
    expect(pinged).toMatchObject({ value: "pinged" });
  });
});
