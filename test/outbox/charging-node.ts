import { createNode, defineJob, type ExecutionContext, type RetryOptions } from "millrace";
import pg from "pg";

type Context = ExecutionContext<{ order: number }>;

interface ChargingOptions {
  readonly leaseMs?: number;
  readonly retry?: RetryOptions;
}

/** Starts a node of a program that is given `NATS_URL NAMESPACE DATABASE`, for jobs `charge`. */
export async function startChargingNode(
  charge: (context: Context, client: pg.PoolClient) => Promise<unknown>,
  { leaseMs = 2_000, retry = {} }: ChargingOptions = {},
): Promise<void> {
  const [servers = "", namespace = "", database = ""] = process.argv.slice(2);
  const pool = new pg.Pool({ connectionString: database, max: 2 });
  // Connections break with the database; the statement that is under way says so.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  const node = await createNode({
    servers,
    namespace,
    env: {},
    leaseMs,
    jobs: [
      defineJob<{ order: number }>({ name: "charge", queue: "orders", retry }).handler(
        async (context) => {
          const client = await pool.connect();
          try {
            return await charge(context, client);
          } finally {
            client.release();
          }
        },
      ),
    ],
  });
  await node.start();
  console.log("ready");
}
