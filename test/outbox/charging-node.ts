import { createNode, defineJob, type ExecutionContext } from "millrace";
import pg from "pg";

type Context = ExecutionContext<{ order: number }>;

/** Starts a node of a program that is given `NATS_URL NAMESPACE DATABASE`, for jobs `charge`. */
export async function startChargingNode(
  charge: (context: Context, client: pg.PoolClient) => Promise<unknown>,
): Promise<void> {
  const [servers = "", namespace = "", database = ""] = process.argv.slice(2);
  const pool = new pg.Pool({ connectionString: database, max: 2 });
  const node = await createNode({
    servers,
    namespace,
    env: {},
    leaseMs: 2_000,
    jobs: [
      defineJob<{ order: number }>({ name: "charge", queue: "orders" }).handler(async (context) => {
        const client = await pool.connect();
        try {
          return await charge(context, client);
        } finally {
          client.release();
        }
      }),
    ],
  });
  await node.start();
  console.log("ready");
}
