import { UNSETTLED } from "@millrace/core";
import { launchCluster } from "@millrace/nats-server";
import { connect, defineJob } from "millrace";
import { describe, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

const mail = defineJob<number>({ name: "mail", queue: "mail" });

for (const target of serversUnderTest()) {
  // 2.10 stores no jobs as one.
  if (target.generation === "2.10") continue;
  describe.skipIf(target.state === "missing")(
    `a queue of three replicas (${nameOf(target)})`,
    () => {
      // A publish that asked by `Nats-Expected-Last-Msg-Id` stopped the stream on each server.
      test("goes on when it is asked which ids of jobs that are stored as one it knows", async () => {
        if (target.state === "missing") return;
        const cluster = await launchCluster({ path: target.path });
        cleanUpLater(() => cluster.dispose());
        await using client = await connect({ servers: cluster.urls, namespace: "known", env: {} });
        await client.queues.ensure("mail", { replicas: 3 });
        const together = async (...ids: readonly string[]): Promise<readonly string[]> => {
          const jobs = ids.map((id, input) => ({ input, id }));
          const results = await client.enqueueMany(mail, jobs, { atomic: true });
          return results.map((one) =>
            one.ok ? `${one.id}${one.duplicate ? " again" : ""}` : one.error.code,
          );
        };
        await client.enqueue(mail, 1, { id: "a" });
        expect(await together("a", "b", "c")).toEqual(["a again", "b", "c"]);
        expect(await together("c", "d", "a")).toEqual(["c again", "d", "a again"]);

        const { marks } = client.broker;
        const jobs = ["d", "e"].map((id) => ({
          ...{ ...UNSETTLED, id, name: "mail", queue: "mail", payload: 1, headers: {} },
          createdAt: Date.now(),
        }));
        const mark = { queue: "mail", name: "outbox", value: "1", after: 0 };
        expect(await marks?.enqueue(jobs, mark)).toMatchObject([
          { ok: true, id: "d", duplicate: true },
          { ok: true, id: "e", duplicate: false },
        ]);
        expect(await client.enqueue(mail, 1, { id: "f" })).toMatchObject({ duplicate: false });
        expect(await client.queues.list()).toMatchObject([{ queue: "mail", queued: 6 }]);
      }, 120_000);
    },
  );
}
