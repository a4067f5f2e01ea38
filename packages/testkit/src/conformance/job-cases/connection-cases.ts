import assert from "node:assert/strict";
import { type BrokerStatus, MillraceError } from "@millrace/core";
import { type ConformanceCase, conformanceCase, rejectsWith, sharedCase } from "../scene.ts";

export const connectionCases: readonly ConformanceCase[] = [
  conformanceCase("connection: the server's clock can be read, and goes on", async (scene) => {
    const first = await scene.broker.serverNow();
    assert.ok(Math.abs(first - scene.harness.now()) < 60_000, `the server says ${first}`);
    await scene.passes(30);
    assert.ok((await scene.broker.serverNow()) >= first + 20);
  }),

  conformanceCase(
    "connection: says what it is, that it is up, and how long a round trip takes",
    async ({ broker }) => {
      assert.ok(broker.description.length > 0);
      assert.ok(broker.maxMessageBytes >= 1_024);
      assert.equal(broker.status, "connected");
      const ms = await broker.ping();
      assert.ok(Number.isFinite(ms) && ms >= 0);
    },
  ),

  sharedCase(
    "connection: close() is idempotent, tells listeners, and every later call says that it is closed",
    async (scene) => {
      const broker = await scene.connect();
      const statuses: BrokerStatus[] = [];
      const unheard: BrokerStatus[] = [];
      broker.onStatus((status) => statuses.push(status));
      broker.onStatus((status) => unheard.push(status))();
      await Promise.all([broker.close(), broker.close()]);
      await broker.close();
      assert.deepEqual([broker.status, statuses, unheard], ["closed", ["closed"], []]);
      await rejectsWith("connection-closed", broker.ping());
      await rejectsWith("connection-closed", broker.queues.snapshot(scene.queue));
      const [result] = await broker.enqueue([scene.job()]);
      assert.equal(result?.ok === false && result.error.code, "connection-closed");
    },
  ),

  sharedCase(
    "connection: closing with everything open does not hang, and what was open can still be stopped",
    async (scene) => {
      const broker = await scene.connect();
      await scene.enqueueOk(scene.job());
      const worker = await scene.worker({ broker });
      const delivery = await worker.delivery(0);
      const open = [
        await broker.moveDueJobs(),
        await broker.answerWhoRuns(() => undefined),
        await broker.history.follow({ id: "any" }, () => {}),
        await (await broker.documents("conformance")).watch(() => {}),
      ];
      await broker.close();
      for (const thing of open) await thing.stop();
      await worker.stop();
      await assert.rejects(broker.settle(delivery, [{ do: "ack" }]), (error) =>
        MillraceError.is(error),
      );
    },
  ),

  sharedCase(
    "connection: what one connection wrote before it closed is there for another",
    async (scene) => {
      const broker = await scene.connect();
      const job = scene.job();
      await broker.enqueue([job]);
      await broker.close();
      const worker = await scene.worker();
      await worker.delivery(0);
      assert.deepEqual(worker.messageIds, [job.id]);
    },
  ),
];
