import {
  type Broker,
  defineJob,
  defineMachine,
  type Logger,
  silentLogger,
  systemClock,
} from "@millrace/core";
import { createNode, type NodeOptions } from "@millrace/runtime";
import { expect, it, vi } from "vitest";
import { type PromiseActorLogic, setup } from "xstate";
import { createClient } from "../../packages/millrace/src/client/client.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { connectTo } from "../reliability/programs/connect.ts";
import { LEASE } from "./orders.ts";
import { standingStill } from "./standing-still.ts";

vi.setConfig({ testTimeout: patient(60_000) });

const events = {} as { type: "GO" };
const older = defineMachine({
  name: "parcel",
  machine: setup({ types: { events } }).createMachine({
    initial: "open",
    states: { open: { on: { GO: "sent" } }, sent: { type: "final" } },
  }),
});
const notify = defineJob<null, null, null>({ name: "parcel.notify", queue: "parcels" });
/** It asks for a job that the older one knows nothing of. */
const newer = defineMachine({
  name: "parcel",
  version: 2,
  migrate: (state) => state,
  machine: setup({
    types: { events },
    actors: { notify: {} as PromiseActorLogic<null, null> },
  }).createMachine({
    initial: "open",
    states: {
      open: { on: { GO: "notifying" } },
      notifying: {
        invoke: { src: "notify", input: () => null, onDone: "sent", onError: "unsent" },
      },
      sent: { type: "final" },
      unsent: { type: "final" },
    },
  }),
  jobs: { notify },
});

describeEachServer("a host of an older chart, after one of a newer has died", (server) => {
  it("leaves what the newer chart asks for to a host that has it", async () => {
    const config = { servers: server.url, namespace: server.namespace() };
    const connected = async (log?: Logger): Promise<Broker> => {
      const broker = await connectTo(config, log);
      cleanUpLater(() => broker.close());
      return broker;
    };
    const hosting = async (options: Partial<NodeOptions>) => {
      const node = createNode({
        ...{ broker: options.broker ?? (await connected()), jobs: [], lease: LEASE, ...options },
      });
      await node.start();
      cleanUpLater(() => node.stop());
      return node;
    };
    const still = standingStill(await connected());
    await hosting({ broker: still.decorated, machines: [newer] });
    const machine = createClient(await connected(), systemClock).machine(newer, "p-1");
    await machine.start();
    await machine.send({ type: "GO" });
    await within(still.written, 15_000, "the machine is written");

    const gaveBack = Promise.withResolvers<void>();
    const hear = (fields: object): void => {
      if (JSON.stringify(fields).includes("machine-mismatch")) gaveBack.resolve();
    };
    const log: Logger = { ...silentLogger, warn: hear, error: hear, child: () => log };
    const before = await hosting({ machines: [older], broker: await connected(log) });
    await within(gaveBack.promise, 30_000, "the older host gives the event back");
    await before.stop();

    let runs = 0;
    const notified = notify.handler(() => {
      runs += 1;
      return null;
    });
    await hosting({ machines: [newer], jobs: [notified] });
    const { value } = await machine.waitFor(({ status }) => status !== "active", {
      timeout: "30s",
    });
    expect({ value, runs }).toEqual({ value: "sent", runs: 1 });
    await still.goOn();
  });
});
