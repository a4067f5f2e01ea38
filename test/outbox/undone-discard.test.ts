import { connect, createNode, defineJob } from "millrace";
import {
  beginOnPool,
  createOutbox,
  pgTransaction,
  postgresOutbox,
  startRelay,
} from "millrace/outbox";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { postgresMissing } from "../harness/postgres.ts";
import { describeServer } from "../harness/servers.ts";
import { type OutboxDatabase, outboxDatabase } from "./outbox-database.ts";

vi.setConfig({ testTimeout: 180_000 });

const missing = postgresMissing();
const charge = defineJob<null>({ name: "charge", queue: "orders", retry: "none" });

let database: OutboxDatabase | undefined;
beforeAll(async () => {
  if (missing === undefined)
    database = await outboxDatabase(["CREATE TABLE charges (job_id text)"]);
});
afterAll(() => database?.close());

describeServer("a dead letter that was discarded by an operation", "newest", (server) => {
  test.skipIf(missing !== undefined)(
    "charges nothing a second time where it is put back days later and retried",
    async () => {
      if (database === undefined) return;
      const { postgres, pool } = database;
      const options = { servers: server.url, namespace: server.namespace(), env: {} };
      const millrace = await connect(options);
      cleanUpLater(() => millrace.close());
      const shop = createOutbox(pgTransaction).database(beginOnPool(pool));
      let isUp = false;
      const handler = charge.handler(async ({ job, transaction }) => {
        await transaction(shop, async (tx) => {
          await tx.query("INSERT INTO charges VALUES ($1)", [job.id]);
        });
        if (!isUp) throw new Error("mail is down");
      });
      const node = await createNode({ ...options, jobs: [handler] });
      cleanUpLater(() => node.stop());
      await node.start();
      const within = { withinMs: 60_000 };
      await millrace.enqueue(charge, null, { id: "a" });
      const isDead = async (): Promise<boolean> => (await millrace.dead.list()).length === 1;
      await eventually(isDead, { ...within, describe: "it is dead" });
      const { operations } = millrace;
      const what = { filter: { queue: "orders" }, by: "ada" };
      const { id } = await operations.start({ kind: "dead-discard", ...what });
      await operations.run(id);

      await pool.query("UPDATE millrace_done SET done_at = now() - interval '40 days'");
      await pool.query(
        `INSERT INTO millrace_done (queue, job_id, enqueued_at, done_at, gone_at)
         VALUES ('orders', 'unknown', 1, now() - interval '40 days', now() - interval '8 days')`,
      );
      const swept = async (ids: readonly string[], where: string): Promise<void> => {
        const store = postgresOutbox({ url: postgres.url });
        const relay = await startRelay({ broker: millrace.broker, store });
        const found = `SELECT job_id FROM millrace_done WHERE ${where}`;
        const isSo = async (): Promise<boolean> => {
          const { rows } = await pool.query<{ job_id: string }>(found);
          return String(rows.map(({ job_id: of }) => of)) === String(ids);
        };
        await eventually(isSo, { ...within, describe: `${where}: ${ids.join(", ")}` });
        await relay.stop();
      };
      await swept(["a"], "gone_at IS NOT NULL");
      await pool.query("UPDATE millrace_done SET gone_at = now() - interval '6 days'");
      await operations.run((await operations.undo(id, { by: "ada" })).id);
      await swept(["a"], "gone_at IS NULL");
      isUp = true;
      await millrace.dead.retry({ queue: "orders" });
      await eventually(async () => (await millrace.job("a"))?.state === "succeeded", {
        ...within,
        describe: "it has succeeded",
      });
      expect((await pool.query("SELECT job_id FROM charges")).rows).toEqual([{ job_id: "a" }]);
    },
  );
});
