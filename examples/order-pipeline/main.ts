import { stderr, stdout } from "node:process";
import { launchServer, obtainServer } from "@millrace/nats-server";
import { startProcess } from "./process.ts";

/**
 * A shop: an application that takes orders, and two nodes, one for the payments and one for the
 * warehouse. Takes a few orders and stays up until Ctrl-C. With `OTEL_EXPORTER_OTLP_ENDPOINT` set,
 * all three tell what they do.
 */
const given = process.env["MILLRACE_SERVERS"] ?? process.env["MILLRACE_SERVER"];
await using own = given === undefined ? await ownServer() : undefined;
const env = { MILLRACE_SERVERS: given ?? own?.url ?? "" };

const nodes = await Promise.all([
  startProcess({ name: "payments", command: "node", file: "payments.ts", env }),
  startProcess({ name: "warehouse", command: "node", file: "warehouse.ts", env }),
]);
const shop = await startProcess({ name: "shop", command: "app", file: "shop.ts", env });
const url = /http\S+/.exec(shop.ready)?.[0] ?? "";
for (const order of [{ item: "a book" }, { item: "a lamp" }, { item: "a ring", card: "stolen" }]) {
  const answer = await fetch(url, { method: "POST", body: JSON.stringify(order) });
  stdout.write(`ordered ${JSON.stringify(order)}: ${await answer.text()}`);
}
stdout.write(`up until Ctrl-C; order more: curl -d '{"item":"a pen"}' ${url}\n`);

await new Promise<void>((resolve) => {
  process.once("SIGINT", resolve);
  process.once("SIGTERM", resolve);
});
// The application first: it enqueues, and who takes what it enqueues shall be there for that long.
await shop.stop();
await Promise.all(nodes.map((node) => node.stop()));

async function ownServer() {
  const { path } = await obtainServer({ onProgress: (line) => stderr.write(`${line}\n`) });
  return launchServer({ path });
}
