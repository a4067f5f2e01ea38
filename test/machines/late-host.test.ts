import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Broker, systemClock } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { expect, it, vi } from "vitest";
import { createClient } from "../../packages/millrace/src/client/client.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { connectTo } from "../reliability/programs/connect.ts";
import { LEASE, order, orders, type OrdersConfig } from "./orders.ts";
import { standingStill } from "./standing-still.ts";

vi.setConfig({ testTimeout: patient(120_000) });

describeEachServer("a host that stands still between its write and what follows", (server) => {
  it("enqueues nothing that another has enqueued meanwhile, however late it goes on", async () => {
    const directory = mkdtempSync(join(tmpdir(), "millrace-late-"));
    cleanUpLater(() => rmSync(directory, { recursive: true, force: true }));
    const config: OrdersConfig = {
      ...{ servers: server.url, namespace: server.namespace() },
      effects: join(directory, "effects"),
    };
    const connected = async (): Promise<Broker> => {
      const broker = await connectTo(config);
      cleanUpLater(() => broker.close());
      return broker;
    };
    const broker = await connected();
    const windowMs = 1_000;
    await broker.queues.ensure("orders", { dedupeWindowMs: windowMs });
    const still = standingStill(broker);
    const { machines } = orders(config);
    const first = createNode({
      ...{ name: "still", broker: still.decorated, jobs: [], machines, lease: LEASE },
    });
    await first.start();
    cleanUpLater(() => first.stop());
    const client = createClient(await connected(), systemClock);
    const machine = client.machine(order, "o-1");
    await machine.start({ order: "o-1" });
    await within(still.written, 15_000, "the machine is written");

    const heir = createNode({
      ...{ name: "heir", broker: await connected(), ...orders(config), lease: LEASE },
    });
    await heir.start();
    cleanUpLater(() => heir.stop());
    await machine.waitFor(({ context }) => context.charged !== "", { timeout: "60s" });
    // The queue has forgotten the job's id by now.
    const settings = await broker.documents("machines");
    const { updatedAt } = (await settings.get("order.o-1")) ?? { updatedAt: 0 };
    await eventually(async () => (await settings.now()) - updatedAt > 2 * windowMs, {
      ...{ withinMs: 20_000, everyMs: 100, describe: "the queue forgets the job's id" },
    });
    await within(still.goOn(), 15_000, "the first host goes on");
    expect(still.enqueued).toEqual([]);
    const lines = readFileSync(config.effects, "utf8").trim().split("\n");
    expect(lines.filter((line) => line.startsWith("charge"))).toHaveLength(1);
  });
});
