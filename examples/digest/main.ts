import { launchServer, obtainServer } from "@millrace/broker-nats/server";
import { connect } from "@nats-io/transport-node";

const { path, source } = await obtainServer({ onProgress: console.log });
await using server = await launchServer({ path });
const connection = await connect({ servers: server.url });
console.log(`connected to nats-server ${connection.info?.version} (${source})`);
await connection.close();
