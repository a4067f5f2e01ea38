// Launches a server and waits to be killed, for the test that nothing outlives its parent.
import { launchServer } from "@millrace/nats-server";

const server = await launchServer({ path: process.argv[2] ?? "" });
console.log(`${server.pid} ${server.storeDir}`);
setInterval(() => {}, 60_000);
