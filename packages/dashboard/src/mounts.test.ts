import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { expect, onTestFinished, test } from "vitest";
import { createDashboard } from "./create-dashboard.ts";
import type { Fleet } from "./fleet/fleet.ts";

const BASE = "/admin/jobs";

/** Knows one thing: how a queue is paused. */
function dashboardOf(paused: string[]) {
  const fleet = {
    onStatus: () => () => {},
    operations: { serve: async () => ({ stop: async () => {} }) },
    audit: { perform: (_intent: unknown, act: () => Promise<unknown>) => act() },
    queues: { pause: async (queue: string) => void paused.push(queue) },
  } as unknown as Fleet;
  const authorize = () => ({ name: "ada", role: "operator" }) as const;
  const dashboard = createDashboard({ millrace: fleet, basePath: BASE, authorize });
  onTestFinished(() => dashboard.close());
  return dashboard;
}

type Listener = (incoming: IncomingMessage, outgoing: ServerResponse) => unknown;

async function listen(listener: Listener): Promise<string> {
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const options = { overrideGlobalObjects: false } as const;
type Handler = ReturnType<typeof dashboardOf>;

test.each<[string, (dashboard: Handler) => Listener]>([
  [
    "Hono's mount",
    (dashboard) => {
      const app = new Hono().get("/", (context) => context.text("the application"));
      return getRequestListener(app.mount(BASE, dashboard).fetch, options);
    },
  ],
  ["a server that keeps the path", (dashboard) => getRequestListener(dashboard, options)],
  [
    "a server that takes the mount's path off, as Express does",
    (dashboard) => {
      const listener = getRequestListener(dashboard, options);
      return (incoming, outgoing) => {
        incoming.url = (incoming.url ?? "").slice(BASE.length) || "/";
        return listener(incoming, outgoing);
      };
    },
  ],
])("under a path it serves its page, answers and changes: %s", async (_what, mount) => {
  const paused: string[] = [];
  const origin = await listen(mount(dashboardOf(paused)));
  for (const path of ["", "/", "/queues/mail"]) {
    const page = await (await fetch(`${origin}${BASE}${path}`)).text();
    expect(page).toContain(`<base href="${BASE}/">`);
  }
  const session = await fetch(`${origin}${BASE}/api/session`);
  expect(await session.json()).toMatchObject({ user: { name: "ada" } });
  const change = await fetch(`${origin}${BASE}/api/queues/mail/pause`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-millrace-change": "1", origin },
    body: JSON.stringify({ reason: "deploy" }),
  });
  expect({ status: change.status, body: await change.json() }).toMatchObject({ status: 200 });
  expect(paused).toEqual(["mail"]);
});

test("one that is refused for its path has begun nothing", () => {
  const begun: string[] = [];
  const begins = (what: string) => () => void begun.push(what);
  const fleet = {
    onStatus: begins("status"),
    operations: { serve: begins("operations") },
    samples: { serve: begins("samples") },
  } as unknown as Fleet;
  const authorize = () => ({ name: "ada", role: "operator" }) as const;
  expect(() => createDashboard({ millrace: fleet, basePath: "/api", authorize })).toThrow(
    /a path of the dashboard's own/,
  );
  expect(begun).toEqual([]);
});
