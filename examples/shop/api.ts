// The shop's HTTP interface: orders, their state, and progress for a browser.
import { readFile } from "node:fs/promises";
import Fastify, { type FastifyInstance } from "fastify";
import { MillraceError } from "millrace";
import { charge, type Order } from "./definitions.ts";
import { chargeId, findOrder, placeOrder, type ShopServices } from "./store.ts";

interface OfOrder {
  readonly Params: { readonly id: string };
}

export function shopApi({ millrace, pool }: ShopServices): FastifyInstance {
  const app = Fastify();
  const handleOf = (order: string) => millrace.handle(chargeId(order), charge.queue);

  app.get("/", async (_request, reply) =>
    reply.type("text/html").send(await readFile(new URL("page.html", import.meta.url), "utf8")),
  );

  app.post<{ Body: Order }>("/orders", async (request, reply) => {
    await placeOrder({ millrace, pool }, request.body);
    return reply.code(202).send({ id: request.body.id });
  });

  app.get<OfOrder>("/orders/:id", async (request, reply) => {
    const order = await findOrder(pool, request.params.id);
    return order ?? reply.code(404).send({ error: "no such order" });
  });

  app.delete<OfOrder>("/orders/:id", async (request, reply) => {
    const { state } = await handleOf(request.params.id).cancel("the customer withdrew");
    return reply.code(state === "cancelling" || state === "cancelled" ? 202 : 409).send({ state });
  });

  // Server-sent events. The reading ends with the job, and when the browser leaves.
  app.get<OfOrder>("/orders/:id/progress", async (request, reply) => {
    const left = new AbortController();
    reply.hijack();
    reply.raw.on("close", () => left.abort());
    reply.raw.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    const send = (event: string, data: object): void =>
      void reply.raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    try {
      const handle = handleOf(request.params.id);
      // The relay may be behind: the job is in the database until then.
      const options = { signal: left.signal, appearsWithin: "1m" } as const;
      for await (const { value, note } of handle.progress(options))
        send("progress", { value, note });
      send("end", { state: (await handle.status()).state });
    } catch (error) {
      if (!left.signal.aborted)
        send("problem", { code: MillraceError.is(error) ? error.code : "unknown" });
    }
    reply.raw.end();
  });

  app.get("/readyz", async (_request, reply) => {
    const health = await millrace.health();
    return reply.code(health.ready ? 200 : 503).send(health);
  });

  return app;
}
