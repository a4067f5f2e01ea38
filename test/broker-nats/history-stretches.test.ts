import type { HistoryRecord } from "@millrace/core";
import { expect, test } from "vitest";
import { startProxy } from "../harness/proxy.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { CollectingWorker, jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";

const COUNT = 200;
const BYTES = 100_000;

describeEachServer("a history of large records, read in stretches", (server) => {
  test.each([2_000, 30])(
    "of at most %i: each is sent once, and a stretch is not much longer than 4 MiB",
    async (limit) => {
      const { namespace, ids: written } = await recorded(
        server,
        Array.from({ length: COUNT }, () => BYTES),
      );
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
      expect(ids).toEqual(written);
      // In a cluster the same question may be asked twice.
      expect(sent).toBeLessThan(COUNT * 1.2);
    },
  );

  test("where large ones come after small ones: the server sends no more at once than a stretch takes", async () => {
    const sizes = [...small(60), ...large(60), ...small(3)];
    const { namespace, ids: written } = await recorded(server, sizes);
    const { history } = await connected({ servers: server.url, namespace });

    const ids: string[] = [];
    for (let after = 0; ;) {
      const { records, until, newest } = await history.stretch({ after, limit: 2_000 });
      const held = records.reduce((sum, { record }) => sum + JSON.stringify(record).length, 0);
      expect(held).toBeLessThan(5.5 * 2 ** 20);
      ids.push(...records.map(({ record }) => record.id));
      after = until;
      if (after >= newest) break;
    }
    expect(ids).toEqual(written);
  });
});

describeEachServer("a queue of large jobs, read in stretches", (server) => {
  test("each stretch ends after about 4 MiB, and the next goes on there", async () => {
    const broker = await connected({ servers: server.url, namespace: server.namespace() });
    await broker.queues.ensure("q");
    const jobs = large(12).map((size) => jobFor("q", { payload: "x".repeat(size) }));
    await broker.enqueue(jobs);

    const ids: string[] = [];
    for (let after = 0; ;) {
      const part = await broker.arrivals.stretch("q", { after });
      expect(part.jobs.length).toBeLessThanOrEqual(5);
      ids.push(...part.jobs.map(({ envelope }) => envelope.id));
      after = part.until;
      if (after >= part.newest) break;
    }
    expect(ids).toEqual(jobs.map(({ id }) => id));
  });
});

const small = (count: number): number[] => Array.from({ length: count }, () => 10);
const large = (count: number): number[] => Array.from({ length: count }, () => 900_000);

/** Jobs that ended, each with an output of so many bytes. */
async function recorded(
  server: TestServer,
  sizes: readonly number[],
): Promise<{ readonly namespace: string; readonly ids: readonly string[] }> {
  const namespace = server.namespace();
  const writer = await connected({ servers: server.url, namespace });
  await writer.queues.ensure("q");
  const worker = await CollectingWorker.start(writer, "q");
  await writer.enqueue(sizes.map(() => jobFor("q")));
  await worker.nth(sizes.length);
  for (const [index, { envelope, delivery }] of worker.got.entries()) {
    const { id, name, queue, generation } = envelope;
    const { sequence, storedAt: firstStoredAt } = delivery.message;
    const output = "x".repeat(sizes[index] ?? 0);
    const record: HistoryRecord = {
      ...{ id, name, queue, generation, node: "here", output, sequence, firstStoredAt },
      ...{ state: "succeeded", outcome: "succeeded", attempts: 1, at: Date.now() },
    };
    await writer.settle(delivery, [{ do: "record", record }, { do: "ack" }]);
  }
  return { namespace, ids: worker.got.map(({ envelope }) => envelope.id) };
}
