import { afterEach, expect, test } from "vitest";
import { type Health, healthOf } from "./health.ts";
import { type HealthServer, type HealthServerOptions, startHealthServer } from "./health-server.ts";

const servers: HealthServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const health = (state: Health["state"]): Health =>
  healthOf({ state, broker: "connected", workers: [], now: 0, running: 0 });

async function serve(options: Partial<HealthServerOptions>) {
  const server = await startHealthServer({
    port: 0,
    host: "127.0.0.1",
    health: () => health("running"),
    ...options,
  });
  servers.push(server);
  return async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      headers: { connection: "close" },
    });
    return { status: response.status, text: await response.text() };
  };
}

test.each<[Health["state"], number, number]>([
  ["running", 200, 200],
  ["starting", 200, 503],
  ["draining", 200, 503],
  ["stopped", 503, 503],
])("a node that is %s answers livez %i, readyz %i, and says why", async (state, live, ready) => {
  const get = await serve({ health: () => health(state) });
  expect((await get("/livez")).status).toBe(live);
  const readyz = await get("/readyz?verbose");
  expect(readyz.status).toBe(ready);
  expect(JSON.parse(readyz.text)).toEqual(health(state));
});

test("metrics are given where there are some, and a failure of theirs is one of theirs alone", async () => {
  const without = await serve({});
  expect((await without("/metrics")).status).toBe(404);
  const get = await serve({ metrics: async () => "up 1\n" });
  expect(await get("/metrics")).toEqual({ status: 200, text: "up 1\n" });
  const broken = await serve({
    metrics: () => {
      throw new Error("no");
    },
  });
  expect((await broken("/metrics")).status).toBe(500);
  expect((await broken("/livez")).status).toBe(200);
});

test("anything else is not found", async () => {
  const get = await serve({});
  expect((await get("/")).status).toBe(404);
});

test("a port in use is said so", async () => {
  await serve({});
  const port = servers[0]?.port ?? 0;
  await expect(serve({ port })).rejects.toMatchObject({
    code: "health-port-taken",
    message: expect.stringContaining(`Port ${port}`) as string,
  });
});
