// The shop's HTTP server. `DATABASE_URL`, `PORT`, and Millrace's own variables say where all is.
import { connect } from "millrace";
import { pgTransaction, postgresOutbox } from "millrace/outbox";
import pg from "pg";
import { shopApi } from "./api.ts";
import { SCHEMA } from "./store.ts";

const { DATABASE_URL: url = "postgres://localhost/shop", PORT = "3000" } = process.env;
const pool = new pg.Pool({ connectionString: url });
await postgresOutbox({ url }).migrate();
await pool.query(SCHEMA);
const millrace = await connect({ outbox: pgTransaction });
const app = shopApi({ millrace, pool });
const address = await app.listen({ port: Number(PORT) });
console.log(`the shop is open at ${address}`);

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    void app.close().then(async () => {
      await millrace.close();
      await pool.end();
    });
  });
