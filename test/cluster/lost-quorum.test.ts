import { connectBroker } from "@millrace/broker-nats";
import { launchCluster } from "@millrace/nats-server";
import { defineJob, runNode } from "millrace";
import { describe, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { REPLICAS } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

const mail = defineJob({ name: "mail", queue: "mail" }).handler(() => "sent");

/** What a node says of itself, to a probe and to Prometheus. */
async function saidAt(healthUrl: string): Promise<string> {
  const ready = await fetch(`${healthUrl}/readyz`);
  const { problems } = (await ready.json()) as { readonly problems: readonly string[] };
  const page = await (await fetch(`${healthUrl}/metrics`)).text();
  const metric = /^millrace_node_ready\{.*\} (\d)$/m.exec(page)?.[1] ?? "none";
  return `${ready.status} ${metric} ${problems.join()}`;
}

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`a cluster (${nameOf(target)})`, () => {
    test("without two of its members stores nothing, and its nodes say that they are not ready", async () => {
      if (target.state === "missing") return;
      const cluster = await launchCluster({ path: target.path });
      cleanUpLater(() => cluster.dispose());
      const [first, second, third] = cluster.members;
      if (first === undefined || second === undefined || third === undefined) throw new Error();
      const node = await runNode({
        ...{ jobs: [mail], servers: first.url, namespace: "quorum", replicas: REPLICAS },
        ...{ healthPort: 0, env: {} },
      });
      cleanUpLater(() => node.stop({ immediate: true }));
      // As a node's that has come so far, and never said that it is there.
      const late = await connectBroker({ servers: first.url, namespace: "late" });
      cleanUpLater(() => late.close());
      const says = (what: RegExp, withinMs: number): Promise<unknown> =>
        eventually(async () => what.test(await saidAt(node.healthUrl)), {
          ...{ withinMs, everyMs: 250, describe: `the node says ${String(what)}` },
        });
      await says(/^200 1 $/, 60_000);
      await Promise.all([second.kill(), third.kill()]);
      // The connection stays: only what is written finds no leader.
      const opened = expect(late.documents("nodes")).rejects.toMatchObject({
        code: "broker-unavailable",
      });
      await says(/^503 0 the server has stored nothing that this node wrote for \d+ s$/, 90_000);
      await opened;
      expect((await fetch(`${node.healthUrl}/livez`)).status).toBe(200);
      await Promise.all([second.restart(), third.restart()]);
      await says(/^200 1 $/, 90_000);
    }, 300_000);
  });
}
