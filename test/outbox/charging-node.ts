import {
  createNode,
  defineJob,
  type ExecutionContext,
  type RetryOptions,
  type TransactionalDatabase,
} from "millrace";
import { beginOnPool, createOutbox, type Outbox, pgTransaction } from "millrace/outbox";
import pg from "pg";

type Context = ExecutionContext<{ order: number }>;

interface ChargingOptions {
  readonly leaseMs?: number;
  readonly retry?: RetryOptions;
}

/** Starts a node of a program that is given `NATS_URL NAMESPACE DATABASE`, for jobs `charge`. */
export async function startChargingNode(
  charge: (
    context: Context,
    shop: TransactionalDatabase<pg.PoolClient, Outbox>,
  ) => Promise<unknown>,
  { leaseMs = 2_000, retry = {} }: ChargingOptions = {},
): Promise<void> {
  const [servers = "", namespace = "", database = ""] = process.argv.slice(2);
  const pool = new pg.Pool({ connectionString: database, max: 2 });
  // Connections break with the database; the statement that is under way says so.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  const shop = createOutbox(pgTransaction).database(beginOnPool(pool));
  const node = await createNode({
    servers,
    namespace,
    env: {},
    leaseMs,
    jobs: [
      defineJob<{ order: number }>({ name: "charge", queue: "orders", retry }).handler((context) =>
        charge(context, shop),
      ),
    ],
  });
  await node.start();
  console.log("ready");
}
