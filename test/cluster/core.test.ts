import { launchCluster } from "@millrace/nats-server";
import type { BatchEnded } from "@millrace/core";
import { connect, createNode, defineJob, defineSchedule, planJob } from "millrace";
import { describe, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { REPLICAS } from "../harness/cluster/mode.ts";
import { leaderOf, replicasOf } from "../harness/cluster/streams-of.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

const QUEUE = "core";
const JOBS = 60;
const DELAY_MS = 4_000;

for (const target of serversUnderTest()) {
  if (target.generation === "2.10" && process.env["MILLRACE_TEST_CLUSTER"] !== "2.10") continue;
  describe.skipIf(target.state === "missing")(`jobs on a cluster (${nameOf(target)})`, () => {
    test("retries, delays, singletons, unique keys, locks, batches and schedules outlive the leader of their queue, and everything has three replicas", async () => {
      if (target.state === "missing") return;
      const cluster = await launchCluster({ path: target.path });
      cleanUpLater(() => cluster.dispose());
      const options = { servers: cluster.urls, namespace: "r3", replicas: REPLICAS, env: {} };

      const ran = new Map<string, number>();
      let inside = 0;
      let most = 0;
      const flaky = defineJob<{ failures: number }>({
        name: "flaky",
        queue: QUEUE,
        retry: { attempts: 4, base: "200ms" },
      });
      const alone = defineJob({ name: "alone", queue: QUEUE, singleton: true });
      const indexed = defineJob<{ doc: string }>({
        name: "indexed",
        queue: QUEUE,
        unique: { key: ({ doc }) => doc },
      });
      const tick = defineJob({ name: "tick", queue: QUEUE });
      const all = defineJob<BatchEnded<object>>({ name: "all", queue: QUEUE });
      const count = (id: string): void => void ran.set(id, (ran.get(id) ?? 0) + 1);
      const jobs = [
        flaky.handler(({ input, attempt, job: { id } }) => {
          if (attempt <= input.failures) throw new Error("not yet");
          count(id);
        }),
        alone.handler(async ({ job: { id } }) => {
          most = Math.max(most, (inside += 1));
          await new Promise((resolve) => setTimeout(resolve, 50));
          inside -= 1;
          count(id);
        }),
        indexed.handler(({ job }) => count(job.id)),
        tick.handler(({ job }) => count(job.id)),
        all.handler(({ job }) => count(job.id)),
      ];
      const everySecond = defineSchedule({ name: "often", cron: "* * * * * *", job: tick });
      for (const nodeName of ["a", "b"]) {
        const node = await createNode({ ...options, nodeName, jobs, schedules: [everySecond] });
        await node.start();
        cleanUpLater(() => node.stop());
      }
      const client = await connect(options);
      cleanUpLater(() => client.close());

      const due = Date.now() + DELAY_MS;
      const handles = await Promise.all([
        ...Array.from({ length: JOBS }, (_, n) =>
          client.enqueue(flaky, { failures: n % 3 === 0 ? 1 : 0 }, { id: `flaky-${n}` }),
        ),
        ...Array.from({ length: 8 }, (_, n) => client.enqueue(alone, {}, { id: `alone-${n}` })),
        client.enqueue(flaky, { failures: 0 }, { id: "delayed", delay: DELAY_MS }),
      ]);
      await eventually(() => ran.size > 20, { withinMs: 20_000, describe: "20 jobs have run" });
      const leader = await leaderOf(cluster.urls, `r3-queue-${QUEUE}`);
      const victim = cluster.members.find(({ name }) => name === leader);
      expect(victim).toBeDefined();
      await victim?.kill();
      // Its copies count while new streams and buckets are made; the election of the others goes on
      // all the same.
      await victim?.restart();

      // Everything that a user does goes through the election.
      const unique = { delay: 60_000 };
      const [first, second] = [
        await client.enqueue(indexed, { doc: "a" }, { id: "u1", ...unique }),
        await client.enqueue(indexed, { doc: "a" }, { id: "u2", ...unique }),
      ];
      expect([first.id, second.id]).toEqual(["u1", "u1"]);
      const batch = await client.batch(
        [1, 2, 3].map((n) => planJob(indexed, { doc: `b${n}` })),
        { callback: { job: all, input: {} } },
      );
      await client.lock("door", { lease: "30s", wait: "30s" }, () => {});
      await batch.result({ timeout: "60s" });
      for (const handle of handles) await handle.result({ timeout: "60s" });
      expect(most).toBe(1);
      expect(Date.now()).toBeGreaterThanOrEqual(due);

      const ticks = async (): Promise<readonly string[]> =>
        (await client.broker.history.recent({ queue: QUEUE, limit: 1_000 }))
          .filter(({ name, state }) => name === "tick" && state === "succeeded")
          .map(({ id }) => id);
      // All else may have ended within two seconds.
      await eventually(async () => (await ticks()).length > 3, {
        withinMs: 30_000,
        describe: "four ticks have run",
      });
      const ticked = await ticks();
      expect(new Set(ticked).size).toBe(ticked.length);
      const replicas = await replicasOf(cluster.urls, options.namespace);
      expect([...new Set(replicas.values())]).toEqual([REPLICAS]);
      for (const stream of [
        "queue-core",
        "delayed",
        "dead",
        "history",
        "blocked",
        "batches",
        "progress",
      ])
        expect([...replicas.keys()]).toContain(`r3-${stream}`);
      for (const bucket of ["locks", "unique", "schedules", "nodes"])
        expect([...replicas.keys()]).toContain(`KV_r3-${bucket}`);
    }, 180_000);
  });
}
