// A relay, as a process of its own: `relay-program.ts NATS_URL NAMESPACE DATABASE`.
import { connect } from "millrace";
import {
  mysqlOutbox,
  type OutboxStore,
  postgresOutbox,
  sqliteOutbox,
  startRelay,
} from "millrace/outbox";

const [servers = "", namespace = "", database = ""] = process.argv.slice(2);
const millrace = await connect({ servers, namespace, env: {} });
function storeOf(url: string): OutboxStore {
  if (url.startsWith("postgres:")) return postgresOutbox({ url });
  return url.startsWith("mysql:") ? mysqlOutbox({ url }) : sqliteOutbox({ path: url });
}
await startRelay({ broker: millrace.broker, store: storeOf(database), pollMs: 200, batchRows: 20 });
console.log("ready");
