import { launchServer, obtainServer } from "@millrace/broker-nats/server";
import { enqueueBulk } from "./scenarios/enqueue-bulk.ts";
const { path } = await obtainServer({});
await using server = await launchServer({ path });
console.log(await enqueueBulk.contenders[1]!.run({ url: server.url, namespace: "p", amount: 300000 }));
