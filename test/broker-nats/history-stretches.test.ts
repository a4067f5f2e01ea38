import type { HistoryRecord } from "@millrace/core";
import { expect, test } from "vitest";
import { startProxy } from "../harness/proxy.ts";
import { describeEachServer } from "../harness/servers.ts";
import { CollectingWorker, jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";

const COUNT = 200;
const BYTES = 100_000;

describeEachServer("a history of large records, read in stretches", (server) => {
  test.each([2_000, 30])(
    "of at most %i: each is sent once, and a stretch is not much longer than 4 MiB",
    async (limit) => {
      const namespace = server.namespace();
      const writer = await connected({ servers: server.url, namespace });
      await writer.queues.ensure("q");
      const worker = await CollectingWorker.start(writer, "q");
      await writer.enqueue(Array.from({ length: COUNT }, () => jobFor("q")));
      await worker.nth(COUNT);
      const output = "x".repeat(BYTES);
      for (const { envelope, delivery } of worker.got) {
        const { id, name, queue, generation } = envelope;
        const { sequence, storedAt: firstStoredAt } = delivery.message;
        const record: HistoryRecord = {
          ...{ id, name, queue, generation, node: "here", output, sequence, firstStoredAt },
          ...{ state: "succeeded", outcome: "succeeded", attempts: 1, at: Date.now() },
        };
        await writer.settle(delivery, [{ do: "record", record }, { do: "ack" }]);
      }

      const proxy = await startProxy(server.url);
      const { history } = await connected({ servers: proxy.url, namespace });
      let sent = 0;
      proxy.dropFromServer(({ payload }) => {
        if (payload.length > BYTES) sent += 1;
        return false;
      });
      const ids: string[] = [];
      for (let after = 0; ;) {
        const { records, until, newest } = await history.stretch({ after, limit });
        expect(records.length).toBeLessThanOrEqual(Math.min(limit, 45));
        if (until < newest) expect(until).toBe(records.at(-1)?.position);
        ids.push(...records.map(({ record }) => record.id));
        after = until;
        if (after >= newest) break;
      }
      expect(ids).toEqual(worker.got.map(({ envelope }) => envelope.id));
      // In a cluster the same question may be asked twice.
      expect(sent).toBeLessThan(COUNT * 1.2);
    },
  );
});
