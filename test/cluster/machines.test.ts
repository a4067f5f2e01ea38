import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@millrace/core";
import { launchCluster } from "@millrace/nats-server";
import { describe, expect, test } from "vitest";
import { createClient } from "../../packages/millrace/src/client/client.ts";
import { startChild, type TestChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { REPLICAS } from "../harness/cluster/mode.ts";
import { leaderOf, replicasOf } from "../harness/cluster/streams-of.ts";
import { untilAnswered } from "../harness/cluster/until-answered.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";
import { order, type OrdersConfig } from "../machines/orders.ts";
import { connectTo } from "../reliability/programs/connect.ts";

const PROGRAM = join(import.meta.dirname, "../machines/host-program.ts");
const ORDERS = 30;
const READY_MS = 60_000;
/** Whose leaders die, one after the other: documents, events, timers. */
const STREAMS = ["KV_r3-machines", "r3-inbox", "r3-timers"];

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`machines on a cluster (${nameOf(target)})`, () => {
    test("each ends as its chart says, with each job and timer once, while hosts and the leaders of their streams are killed", async () => {
      if (target.state === "missing") return;
      const directory = mkdtempSync(join(tmpdir(), "millrace-machines-r3-"));
      cleanUpLater(() => rmSync(directory, { recursive: true, force: true }));
      const cluster = await launchCluster({ path: target.path });
      cleanUpLater(() => cluster.dispose());
      const config: OrdersConfig = {
        ...{ servers: cluster.urls.join(","), namespace: "r3", replicas: REPLICAS },
        effects: join(directory, "effects"),
      };
      const broker = await connectTo(config);
      cleanUpLater(() => broker.close());
      const client = createClient(broker, systemClock);
      const start = async (): Promise<TestChild> => {
        const child = startChild(PROGRAM, { args: [JSON.stringify(config)] });
        await child.line(/^ready$/, READY_MS);
        return child;
      };
      const hosts = [await start(), await start()];
      const ids = Array.from({ length: ORDERS }, (_, n) => `o-${n}`);
      const isTold = (n: number): boolean => n % 2 === 1;
      const sent = Promise.all(
        ids.map(async (id, n) => {
          const machine = client.machine(order, id);
          await untilAnswered(() => machine.start({ order: id }));
          if (!isTold(n)) return;
          await untilAnswered(() =>
            machine.waitFor((one) => !one.matches("charging"), { timeout: "3m" }),
          );
          await untilAnswered(() => machine.send({ type: "GO" }, { id: `go-${id}` }));
        }),
      );
      // Told below, once the leaders have died.
      sent.catch(() => undefined);
      for (const [at, stream] of STREAMS.entries()) {
        const leader = await leaderOf(cluster.urls, stream);
        const leading = cluster.members.find(({ name }) => name === leader);
        expect(leading, `${stream} has a leader`).toBeDefined();
        // A member of 2.10 may take minutes to find its groups again, and of three copies two must
        // be there: so one member dies there.
        const victim = target.generation === "2.10" && at > 0 ? undefined : leading;
        const host = at % hosts.length;
        await Promise.all([victim?.kill(), hosts[host]?.kill()]);
        hosts[host] = await start();
        await victim?.restart();
      }
      await sent;
      for (const [n, id] of ids.entries()) {
        const ended = await untilAnswered(() =>
          client.machine(order, id).waitFor(({ status }) => status !== "active", { timeout: "3m" }),
        );
        expect(ended, id).toMatchObject({
          ...{ status: "done", output: { charged: `charge ${id}`, shipped: `ship ${id}` } },
        });
        // Of the event and the timer one led there, once. The other may have come too late, and
        // is on the trail without having led anywhere.
        const ways = ended.trail.filter(
          ({ value }, at) => value === "shipping" && ended.trail[at - 1]?.value !== "shipping",
        );
        expect(ways, id).toHaveLength(1);
        if (!isTold(n)) expect(ended.output?.by, id).toBe("time");
      }
      const lines = readFileSync(config.effects, "utf8").trim().split("\n");
      const jobs = [...new Set(lines)].map((line) => line.split(" ").slice(0, 2).join(" "));
      const wanted = ids.flatMap((id) => [`charge ${id}`, `ship ${id}`]);
      expect(jobs.toSorted()).toEqual(wanted.toSorted());
      const replicas = await replicasOf(cluster.urls, config.namespace);
      for (const stream of STREAMS) expect(replicas.get(stream), stream).toBe(REPLICAS);
      for (const child of hosts) await child.kill();
    }, 420_000);
  });
}
