import { request } from "node:http";
import { expect, test, vi } from "vitest";
import { describeServer } from "../harness/servers.ts";
import { millrace, startMillrace } from "./millrace.ts";

// Each starts Node, with a deadline of its own.
vi.setConfig({ testTimeout: 240_000 });

describeServer("millrace ui", "newest", (server) => {
  const env = () => ({ MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() });

  test("serves the page and the API, for this machine's names alone, until it is told to stop", async () => {
    const own = env();
    await millrace(["queues", "create", "mail"], { env: own });
    const ui = startMillrace(["ui", "--ui-port", "0", "--json"], own);
    const said = JSON.parse(await ui.line(/"url"/, 90_000)) as { url: string; namespace: string };
    expect(said.namespace).toBe(own.MILLRACE_NAMESPACE);
    expect(said.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect(await (await fetch(said.url)).text()).toContain('<div id="root">');
    expect(await (await fetch(`${said.url}api/overview`)).json()).toMatchObject({
      connected: true,
      queues: [{ queue: "mail" }],
    });
    expect(await (await fetch(`${said.url}api/session`)).json()).toMatchObject({
      user: { role: "operator" },
      title: own.MILLRACE_NAMESPACE,
    });
    expect(await statusAs("evil.example", said.url)).toBe(403);
    ui.signal("SIGTERM");
    expect(await ui.exit(20_000)).toEqual({ code: 0, signal: null });
  });

  test("refuses to listen for other machines where nobody has to log in", async () => {
    const { code, out } = await millrace(
      ["ui", "--ui-host", "0.0.0.0", "--ui-port", "0", "--json"],
      {
        env: env(),
      },
    );
    expect(JSON.parse(out)).toMatchObject({ error: { code: "dashboard-unprotected" } });
    expect(code).toBe(1);
  });
});

/** fetch sets the host by itself. */
function statusAs(host: string, url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on("error", reject).end();
  });
}
