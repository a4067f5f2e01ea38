import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { untilAnswered } from "../harness/cluster/until-answered.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";
import { order } from "../machines/orders.ts";
import { endScene, killLeaders, onCluster } from "./killed-leaders.ts";

const PROGRAM = join(import.meta.dirname, "../machines/host-program.ts");
const ORDERS = 30;
/** Whose leaders die, one after the other: documents, events, timers. */
const STREAMS = ["KV_r3-machines", "r3-inbox", "r3-timers"];

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`machines on a cluster (${nameOf(target)})`, () => {
    test("each ends as its chart says, with each job and timer once, while hosts and the leaders of their streams are killed", async () => {
      if (target.state === "missing") return;
      const scene = await onCluster(target.path, PROGRAM);
      const { client, config } = scene;
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
      await killLeaders(scene, PROGRAM, { streams: STREAMS, generation: target.generation });
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
      await endScene(scene, STREAMS);
    }, 420_000);
  });
}
