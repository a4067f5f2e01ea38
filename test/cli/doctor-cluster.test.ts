import { launchCluster } from "@millrace/nats-server";
import { connect } from "millrace";
import { describe, expect, test } from "vitest";
import type { Diagnosis } from "./diagnosis.ts";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { leaderOf } from "../harness/cluster/streams-of.ts";
import { eventually } from "../harness/deadline.ts";
import { serversUnderTest } from "../harness/servers.ts";
import { millraceHere } from "./millrace.ts";

describe.each(serversUnderTest().filter((target) => target.state === "present"))(
  "millrace doctor in a cluster of nats-server $version",
  ({ path }) => {
    test("warns of a queue with one replica", async () => {
      outOfCluster();
      await using cluster = await launchCluster({ path });
      const servers = cluster.urls.join(",");
      {
        await using client = await connect({ servers, env: {} });
        await client.queues.ensure("alone");
        await client.queues.ensure("safe", { replicas: 3 });
      }
      const report = await millraceHere(["doctor", "--json", "--server", servers]);
      const { findings } = report.json<Diagnosis>();
      const statusOf = (check: string): string | undefined =>
        findings.find((one) => one.check === check)?.status;
      expect(statusOf("queue alone")).toBe("warn");
      expect(statusOf("queue safe")).toBe("ok");
      expect(report.code).toBe(0);
    }, 180_000);

    test("a queue whose only replica is away is named, and no list of queues is short", async () => {
      outOfCluster();
      await using cluster = await launchCluster({ path });
      await using client = await connect({ servers: cluster.urls, env: {} });
      await client.queues.ensure("alone");
      await client.queues.ensure("safe", { replicas: 3 });
      const leader = await leaderOf(cluster.urls, "millrace-queue-alone");
      const victim = cluster.members.find(({ name }) => name === leader);
      expect(victim).toBeDefined();
      await victim?.kill();
      const others = cluster.members.filter((member) => member !== victim).map(({ url }) => url);
      // What else it led gets another leader.
      const report = await eventually(
        async () => {
          const now = await millraceHere(["doctor", "--json", "--server", others.join(",")]);
          const silent = now
            .json<Diagnosis>()
            .findings.filter(
              ({ check, status }) => check.startsWith("stream ") && status === "fail",
            );
          const named = silent.map(({ check }) => check).join();
          return named === "stream millrace-queue-alone" ? now : undefined;
        },
        { withinMs: 30_000, describe: "the one queue without a leader is named, and no other" },
      );
      expect(report.code).toBe(1);

      // Asked while it is away, answered when it is back: all of them, each once.
      const listed = client.queues.list();
      await victim?.restart();
      expect((await listed).map(({ queue }) => queue)).toEqual(["alone", "safe"]);
    }, 180_000);
  },
);
