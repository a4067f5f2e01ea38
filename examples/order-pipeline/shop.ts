import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "millrace";
import { telemetry } from "millrace/telemetry";
import { charge, type Order } from "./jobs.ts";
import { inRequestSpan } from "./request-span.ts";

/**
 * The application: takes orders over HTTP and enqueues the first job of each. Started with
 * `--import ./start-telemetry.ts`.
 */
await using millrace = await connect({ instrumentation: telemetry() });

const server = createServer((request, response) => {
  void inRequestSpan(request, async () => {
    try {
      if (request.method !== "POST" || request.url !== "/orders") return 404;
      const order: Order = { order: randomUUID().slice(0, 8), ...(await orderIn(request)) };
      const { id } = await millrace.enqueue(charge, order, { id: `charge-${order.order}` });
      response.writeHead(202, { "content-type": "application/json" });
      response.end(`${JSON.stringify({ order: order.order, job: id })}\n`);
      return 202;
    } catch (error) {
      console.error(error);
      return 500;
    }
  }).then((status) => {
    if (!response.writableEnded) response.writeHead(status).end();
  });
});
server.listen(Number(process.env["PORT"] ?? 0), "127.0.0.1");
await once(server, "listening");
console.log(`orders at http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`);

await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
server.close();
server.closeIdleConnections();

async function orderIn(request: IncomingMessage): Promise<Omit<Order, "order">> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  const { item = "a book", card = "valid" } = JSON.parse(body || "{}") as Partial<Order>;
  return { item, card };
}
