// A relay, as a process of its own: `relay-program.ts NATS_URL NAMESPACE DATABASE`.
import { connect } from "millrace";
import { postgresOutbox, sqliteOutbox, startRelay } from "millrace/outbox";

const [servers = "", namespace = "", database = ""] = process.argv.slice(2);
const millrace = await connect({ servers, namespace, env: {} });
const store = database.startsWith("postgres:")
  ? postgresOutbox({ url: database })
  : sqliteOutbox({ path: database });
await startRelay({ broker: millrace.broker, store, pollMs: 200, batchRows: 20 });
console.log("ready");
