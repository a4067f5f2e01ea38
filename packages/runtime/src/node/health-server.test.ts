import { once } from "node:events";
import { connect as connectSocket, type Socket } from "node:net";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { type Health, healthOf } from "./health.ts";
import { type HealthServer, type HealthServerOptions, startHealthServer } from "./health-server.ts";

const PATIENT = { timeout: 20_000 };
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

test("a health that can't be read is answered as such, and ends no process", async () => {
  const get = await serve({ health: () => expect.unreachable("a fault in a report") });
  for (const path of ["/livez", "/readyz"])
    expect(await get(path)).toEqual({ status: 500, text: "the health can't be read\n" });
});

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

const ASK = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";

/** A page that is made until it is told to be done. */
function slowPage() {
  let asked = 0;
  const made = Promise.withResolvers<string>();
  return { asked: () => asked, made, metrics: () => ((asked += 1), made.promise) };
}

async function portOf(options: Partial<HealthServerOptions>): Promise<number> {
  await serve(options);
  return servers.at(-1)?.port ?? 0;
}

function open(port: number): Socket {
  const socket = connectSocket(port, "127.0.0.1");
  socket.on("error", () => {});
  return socket;
}

test("a client that asks a thousand times in one piece has no page made but one, and is sent away", async () => {
  const { asked, metrics } = slowPage();
  const socket = open(await portOf({ metrics }));
  socket.resume().write(ASK.repeat(1_000));
  await once(socket, "close");
  expect(asked()).toBe(1);
});

test("a client that asks again when it has its answer is answered on the same connection", async () => {
  const socket = open(await portOf({ metrics: () => "up 1\n" }));
  for (let time = 0; time < 3; time += 1) {
    socket.write(ASK);
    let answer = "";
    while (!answer.endsWith("\r\n0\r\n\r\n")) answer += String((await once(socket, "data"))[0]);
    expect(answer).toMatch(/^HTTP\/1.1 200 [^]*up 1\n/);
  }
  socket.destroy();
});

test("those who ask while a page is made get that page, and the next one has a new one made", async () => {
  const { asked, made, metrics } = slowPage();
  const get = await serve({ metrics });
  const first = Array.from({ length: 20 }, () => get("/metrics"));
  // A probe that came in after all of them has been answered.
  await get("/livez");
  made.resolve("up 1\n");
  const pages = await Promise.all(first);
  expect(pages.map(({ text }) => text)).toEqual(first.map(() => "up 1\n"));
  const shared = asked();
  expect(shared).toBeLessThan(3);
  await get("/metrics");
  expect(asked()).toBe(shared + 1);
});

async function openMany(port: number, count = 100): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  onTestFinished(() => sockets.forEach((socket) => socket.destroy()));
  // One after the other, so that it is known which is the oldest.
  for (; sockets.length < count;) {
    const socket = open(port);
    sockets.push(socket);
    await once(socket.resume(), "connect");
  }
  return sockets;
}

test("connections are a hundred and no more: the oldest that asks for nothing gives way", async () => {
  const { asked, made, metrics } = slowPage();
  const get = await serve({ metrics });
  const [first, second, third] = await openMany(servers.at(-1)?.port ?? 0);
  first?.write(ASK);
  await vi.waitFor(() => expect(asked()).toBe(1), PATIENT);
  const gone = once(second as Socket, "close");
  const answered = once(first as Socket, "data");
  expect((await get("/livez")).status).toBe(200);
  await gone;
  made.resolve("up 1\n");
  await answered;
  expect(third?.destroyed).toBe(false);
});

test("a probe is answered where a hundred connections wait for a page", async () => {
  const { asked, metrics } = slowPage();
  const get = await serve({ metrics });
  const sockets = await openMany(servers.at(-1)?.port ?? 0);
  const [oldest] = sockets;
  const gone = once(oldest as Socket, "close");
  for (const socket of sockets) socket.write(ASK);
  await vi.waitFor(() => expect(asked()).toBe(1), PATIENT);
  expect((await get("/livez")).status).toBe(200);
  await gone;
});
