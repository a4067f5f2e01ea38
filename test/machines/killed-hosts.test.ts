import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Broker, systemClock } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { expect, it, vi } from "vitest";
import { createClient } from "../../packages/millrace/src/client/client.ts";
import { startChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { connectTo } from "../reliability/programs/connect.ts";
import { LEASE, order, orders, type OrdersConfig } from "./orders.ts";

vi.setConfig({ testTimeout: patient(420_000) });

/** Of one order: four writes, two jobs with their ends, one timer. */
const POINTS = [
  ...["before write 1", "after write 1", "before enqueue 1", "after enqueue 1"],
  ...["before tell 1", "after tell 1", "before write 2", "after write 2"],
  ...["before tick 1", "after tick 1", "before write 3", "after write 3"],
  ...["before enqueue 2", "after enqueue 2", "before write 4", "after write 4"],
];
const PROGRAM = join(import.meta.dirname, "host-program.ts");
/** They wait for leases most of the time. */
const AT_ONCE = 4;
const DEADLINE_MS = 120_000;

async function scene(server: TestServer) {
  const directory = mkdtempSync(join(tmpdir(), "millrace-machines-"));
  cleanUpLater(() => rmSync(directory, { recursive: true, force: true }));
  const config: OrdersConfig = {
    ...{ servers: server.url, namespace: server.namespace() },
    effects: join(directory, "effects"),
  };
  const broker = await connectTo(config);
  cleanUpLater(() => broker.close());
  // Forgotten long before a host's messages come to the next one.
  await broker.queues.ensure("orders", { dedupeWindowMs: 1_000 });
  const client = createClient(broker, systemClock);
  const start = (dieAt?: string) =>
    startChild(PROGRAM, {
      args: [JSON.stringify({ ...config, ...(dieAt === undefined ? {} : { dieAt }) })],
    });
  return { config, broker, client, start };
}

async function host(broker: Broker, config: OrdersConfig): Promise<void> {
  const node = createNode({ name: "heir", broker, ...orders(config), lease: LEASE });
  await node.start();
  cleanUpLater(() => node.stop());
}

/** Each job of each order was enqueued once: a job may run twice, and keeps its id. */
function requireOnce({ effects }: OrdersConfig, ids: readonly string[], what: string): void {
  const lines = new Set(readFileSync(effects, "utf8").trim().split("\n"));
  const jobs = [...lines].map((line) => line.split(" ").slice(0, 2).join(" ")).toSorted();
  const wanted = ids.flatMap((id) => [`charge ${id}`, `ship ${id}`]).toSorted();
  expect(jobs, what).toEqual(wanted);
}

type Scene = Awaited<ReturnType<typeof scene>>;

async function killAt({ config, broker, client, start }: Scene, point: string): Promise<void> {
  const dying = start(point);
  await dying.line(/^ready$/, DEADLINE_MS);
  const machine = client.machine(order, "o-1");
  await machine.start({ order: "o-1" });
  expect(await dying.exit(DEADLINE_MS), point).toMatchObject({ signal: "SIGKILL" });
  await host(broker, config);
  const ended = await machine.waitFor(({ status }) => status !== "active", { timeout: "2m" });
  expect({ point, status: ended.status, output: ended.output }).toEqual({
    ...{ point, status: "done" },
    output: { charged: "charge o-1", shipped: "ship o-1", by: "time" },
  });
  requireOnce(config, ["o-1"], point);
}

describeEachServer("a node that hosts machines, killed with SIGKILL", (server) => {
  it("leaves them to another node at each point, and nothing is lost or done twice", async () => {
    for (let from = 0; from < POINTS.length; from += AT_ONCE) {
      const points: (readonly [string, Scene])[] = [];
      // Each has streams of its own, which are made one after the other.
      for (const point of POINTS.slice(from, from + AT_ONCE))
        points.push([point, await scene(server)]);
      await Promise.all(points.map(([point, made]) => killAt(made, point)));
    }
  });

  it("two of them, killed again and again: each order ends as its chart says", async () => {
    const { config, broker, client, start } = await scene(server);
    const ids = Array.from({ length: 40 }, (_, n) => `o-${n}`);
    const hosts = [start(), start()];
    for (const child of hosts) await child.line(/^ready$/, DEADLINE_MS);
    const sent = (async () => {
      for (const id of ids) await client.machine(order, id).start({ order: id });
      // Each second one is told to go, as soon as it can be.
      for (const id of ids.filter((_, n) => n % 2 === 1)) {
        const machine = client.machine(order, id);
        await machine.waitFor((one) => !one.matches("charging"), { timeout: "3m" });
        await machine.send({ type: "GO" }, { id: `go-${id}` });
        await machine.send({ type: "GO" }, { id: `go-${id}` });
      }
    })();
    for (let kills = 0; kills < 6; kills += 1) {
      const at = kills % 2;
      // Whatever it is doing then: it has taken something since it was ready.
      await broker.ping();
      await hosts[at]?.kill();
      const next = start();
      hosts[at] = next;
      await next.line(/^ready$/, DEADLINE_MS);
    }
    await sent;
    for (const id of ids) {
      const ended = await client
        .machine(order, id)
        .waitFor(({ status }) => status !== "active", { timeout: "3m" });
      expect(ended).toMatchObject({
        status: "done",
        output: { charged: `charge ${id}`, shipped: `ship ${id}` },
      });
    }
    requireOnce(config, ids, "after the kills");
    for (const child of hosts) await child.kill();
  });
});
