import { launchCluster } from "@millrace/broker-nats/server";
import { AckPolicy, jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { connect } from "millrace";
import { describe, expect, test } from "vitest";
import { describeEachServer, serversUnderTest } from "../harness/servers.ts";
import { millraceHere } from "./millrace.ts";

interface Diagnosis {
  readonly healthy: boolean;
  readonly findings: readonly {
    readonly check: string;
    readonly status: string;
    readonly advice?: string;
  }[];
}

describeEachServer("millrace doctor", (server) => {
  test("finds what an operator changed for the worse, says what to do, and exits 1", async () => {
    const namespace = server.namespace();
    await using client = await connect({ servers: server.url, namespace, env: {} });
    await client.queues.ensure("spoilt");
    await client.queues.ensure("sound");
    const stream = `${namespace}-queue-spoilt`;
    const nc = await connectNats({ servers: server.url });
    try {
      const jsm = await jetstreamManager(nc);
      await jsm.streams.update(stream, { discard: "old", max_age: 3600e9 });
      await jsm.consumers.add(stream, {
        durable_name: "workers",
        ack_policy: AckPolicy.Explicit,
        max_deliver: 5,
        ack_wait: 1e9,
      });
    } finally {
      await nc.close();
    }
    const report = await millraceHere([
      "doctor",
      "--json",
      "--server",
      server.url,
      "--namespace",
      namespace,
    ]);
    expect(report.code).toBe(1);
    const { healthy, findings } = report.json<Diagnosis>();
    expect(healthy).toBe(false);
    expect(
      findings.filter(({ check }) => check === "queue sound").map(({ status }) => status),
    ).toEqual(["ok"]);
    const spoilt = findings.filter(({ check }) => check === "queue spoilt");
    expect(spoilt.map(({ status }) => status)).toEqual(["fail", "fail", "warn", "fail", "warn"]);
    for (const part of [/discard=new/, /max_age/, /max_deliver/, /ack_wait/, /lane/]) {
      expect(spoilt.some(({ advice }) => advice !== undefined && part.test(advice))).toBe(true);
    }
  });
});

describe.each(serversUnderTest().filter((target) => target.state === "present"))(
  "millrace doctor in a cluster of nats-server $version",
  ({ path }) => {
    test("warns of a queue with one replica", async () => {
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
    }, 90_000);
  },
);
