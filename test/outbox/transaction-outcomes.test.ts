// What a run says other than "done" takes its effects back. The database is asked how often a job
// had an effect.
import {
  cancel,
  connect,
  createNode,
  defineJob,
  type ExecutionContext,
  type Millrace,
  snooze,
} from "millrace";
import { beginOnPool, createOutbox, pgTransaction } from "millrace/outbox";
import type pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { postgresMissing } from "../harness/postgres.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type OutboxDatabase, outboxDatabase } from "./outbox-database.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const missing = postgresMissing();
const outbox = createOutbox(pgTransaction);
const charge = defineJob<{ order: string }>({
  name: "charge",
  queue: "orders",
  retry: { attempts: 10, base: "10ms" },
});
const hanging = defineJob<{ order: string }>({
  name: "charge.hanging",
  queue: "orders",
  timeout: "4s",
  retry: { attempts: 10, base: "10ms" },
});
const single = defineJob<{ order: string }>({
  name: "charge.single",
  queue: "orders",
  singleton: true,
});

type Charge = (during: () => Promise<unknown>) => Promise<unknown>;
interface Run {
  readonly attempt: number;
  readonly signal: AbortSignal;
  /** Charges the order in a transaction with whatever is done meanwhile. */
  readonly once: Charge;
}

let pool: pg.Pool;
let database: OutboxDatabase | undefined;
beforeAll(async () => {
  if (missing !== undefined) return;
  database = await outboxDatabase(["CREATE TABLE charges (order_id text, by text)"], 8);
  ({ pool } = database);
});
afterAll(() => database?.close());

const charges = async (order: string): Promise<number> =>
  (await pool.query("SELECT 1 FROM charges WHERE order_id = $1", [order])).rowCount ?? 0;

function whenAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (signal.aborted) resolve();
  return promise;
}

describeEachServer(
  `a run that is not done${missing === undefined ? "" : `, skipped: ${missing}`}`,
  (server) => {
    async function scene(act: (run: Run) => Promise<unknown>): Promise<Millrace> {
      const options = { servers: server.url, namespace: server.namespace(), env: {} };
      const millrace = await connect(options);
      cleanUpLater(() => millrace.close());
      const handle = async (context: ExecutionContext<{ order: string }>) => {
        const shop = outbox.database(beginOnPool(pool));
        const once: Charge = (during) =>
          context.transaction(shop, async (tx) => {
            await tx.query("INSERT INTO charges (order_id) VALUES ($1)", [context.input.order]);
            return during();
          });
        return act({ attempt: context.attempt, signal: context.signal, once });
      };
      const node = await createNode({
        ...options,
        slots: 4,
        jobs: [charge, hanging, single].map((job) => job.handler(handle)),
      });
      await node.start();
      cleanUpLater(() => node.stop());
      return millrace;
    }

    const order = (name: string): string => `${name}-${server.generation}`;

    test.skipIf(missing !== undefined)(
      "a failed attempt's effects are gone, and the next one's stay",
      async () => {
        const millrace = await scene(({ attempt, once }) =>
          once(async () => {
            if (attempt < 3) throw new Error("the card was declined");
            return attempt;
          }),
        );
        const handle = await millrace.enqueue(charge, { order: order("retry") });
        expect(await handle.result({ timeout: "60s" })).toBe(3);
        expect(await charges(order("retry"))).toBe(1);
      },
    );

    test.skipIf(missing !== undefined)(
      "a run that is put off has done nothing, and is made again",
      async () => {
        let runs = 0;
        const millrace = await scene(({ attempt, once }) =>
          once(async () => {
            runs += 1;
            // A snooze spends no attempt.
            return runs === 1 ? snooze("10ms") : `attempt ${attempt}`;
          }),
        );
        const handle = await millrace.enqueue(charge, { order: order("snooze") });
        expect(await handle.result({ timeout: "60s" })).toBe("attempt 1");
        expect(runs).toBe(2);
        expect(await charges(order("snooze"))).toBe(1);
      },
    );

    test.skipIf(missing !== undefined)("a job that cancels itself has done nothing", async () => {
      const millrace = await scene(({ once }) => once(async () => cancel("sold out")));
      const handle = await millrace.enqueue(charge, { order: order("cancels") });
      await expect(handle.result({ timeout: "60s" })).rejects.toMatchObject({
        code: "cancelled",
      });
      expect(await charges(order("cancels"))).toBe(0);
    });

    test.skipIf(missing !== undefined)(
      "an attempt that outlives its timeout commits nothing",
      async () => {
        const ends: string[] = [];
        const millrace = await scene(async ({ attempt, signal, once }) => {
          const charging = once(async () => {
            // It does not care for the signal, and goes on.
            if (attempt === 1) await whenAborted(signal);
            return attempt;
          });
          await charging.then(
            () => ends.push(`${attempt} committed`),
            () => ends.push(`${attempt} rolled back`),
          );
          return charging;
        });
        const handle = await millrace.enqueue(hanging, { order: order("timeout") });
        expect(await handle.result({ timeout: "120s" })).toBeGreaterThan(1);
        expect(ends).toContain("1 rolled back");
        expect(await charges(order("timeout"))).toBe(1);
      },
    );

    test.skipIf(missing !== undefined)(
      "a job that is cancelled while it charges does not charge",
      async () => {
        const inside = Promise.withResolvers<void>();
        const ended = Promise.withResolvers<string>();
        const millrace = await scene(async ({ signal, once }) => {
          const charging = once(async () => {
            inside.resolve();
            await whenAborted(signal);
          });
          charging.then(
            () => ended.resolve("committed"),
            () => ended.resolve("rolled back"),
          );
          return charging;
        });
        const handle = await millrace.enqueue(charge, { order: order("cancelled") });
        await inside.promise;
        await handle.cancel("the customer left");
        expect(await ended.promise).toBe("rolled back");
        await eventually(async () => (await handle.status()).state === "cancelled", {
          withinMs: 60_000,
          describe: "the job is cancelled",
        });
        expect(await charges(order("cancelled"))).toBe(0);
      },
    );

    test.skipIf(missing !== undefined)(
      "singletons charge one after the other, each once",
      async () => {
        let inside = 0;
        const millrace = await scene(({ once }) =>
          once(async () => {
            inside += 1;
            expect(inside).toBe(1);
            await pool.query("SELECT 1");
            inside -= 1;
            return "charged";
          }),
        );
        const handles = await Promise.all(
          ["a", "b", "c"].map((name) => millrace.enqueue(single, { order: order(name) })),
        );
        for (const handle of handles)
          expect(await handle.result({ timeout: "120s" })).toBe("charged");
        for (const name of ["a", "b", "c"]) expect(await charges(order(name))).toBe(1);
      },
    );
  },
  { singleServer: "it counts runs, and a leader that dies delivers some of them again" },
);
