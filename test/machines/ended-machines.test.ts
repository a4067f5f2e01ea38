import { connect, createNode, defineMachine } from "millrace";
import { silentLogger, systemClock } from "@millrace/core";
import { expect, it, vi } from "vitest";
import { setup } from "xstate";
import { MachineSweeper } from "../../packages/runtime/src/durable/machine-sweeper.ts";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(120_000) });

const chart = setup({ types: { events: {} as { type: "END" } } }).createMachine({
  initial: "open",
  states: {
    open: { on: { END: "over" }, after: { [7 * 24 * 3_600_000]: "over" } },
    over: { type: "final" },
  },
});
const visit = defineMachine({ name: "visit", machine: chart, keepEnded: "forever" });

describeEachServer("machines that ended long ago", (server) => {
  it("are forgotten with their timers, and may be started anew", async () => {
    const namespace = server.namespace();
    const connection = { servers: server.url, namespace, env: {} };
    const millrace = await connect(connection);
    cleanUpLater(() => millrace.close());
    const node = await createNode({ ...connection, jobs: [], machines: [visit] });
    await node.start();
    cleanUpLater(() => node.stop());
    const ids = Array.from({ length: 30 }, (_, n) => `v-${n}`);
    for (const id of ids) await millrace.machine(visit, id).start();
    await millrace.machine(visit, "goes-on").start();
    for (const id of ids) {
      await millrace.machine(visit, id).send({ type: "END" });
      await millrace.machine(visit, id).waitFor(({ status }) => status === "done");
    }
    const { jsm } = await administrator(server);
    const timers = async () => (await jsm.streams.info(`${namespace}-timers`)).state.messages;
    await eventually(async () => (await timers()) === ids.length + 1, {
      ...{ withinMs: 30_000, describe: "each has its timer" },
    });
    const sweeper = new MachineSweeper({
      ...{ broker: millrace.broker, clock: systemClock, log: silentLogger, random: () => 0 },
      definition: { name: "visit", keepEndedMs: 1_000 },
    });
    cleanUpLater(() => sweeper.stop());
    const left = async () => (await millrace.machines.list()).machines.map(({ id }) => id);
    await eventually(async () => (await left()).length === 1, {
      ...{ withinMs: 60_000, describe: "those that ended are gone" },
    });
    expect(await left()).toEqual(["goes-on"]);
    expect(await timers()).toBe(1);
    const again = millrace.machine(visit, "v-1");
    await again.start();
    expect(await again.waitFor(({ value }) => value === "open")).toMatchObject({
      status: "active",
    });
  });
});
