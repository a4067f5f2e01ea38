import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, defineJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { readExposition } from "../metrics/exposition.ts";
import { millrace, startMillrace } from "./millrace.ts";

const send = defineJob<{ readonly n: number }>({ name: "mail.send", queue: "mail" });
// Each starts Node, with a deadline of its own.
vi.setConfig({ testTimeout: 240_000 });

describeServer("millrace ui", "newest", (server) => {
  const env = () => ({ MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() });

  test("serves the page and the API, for this machine's names alone, until it is told to stop", async () => {
    const own = env();
    await millrace(["queues", "create", "mail"], { env: own });
    const traceUrl = "http://jaeger:16686/trace/{traceId}";
    const ui = startMillrace(["ui", "--ui-port", "0", "--trace-url", traceUrl, "--json"], own);
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
      ...{ title: own.MILLRACE_NAMESPACE, traceUrl },
    });
    expect(await statusAs("evil.example", said.url)).toBe(403);
    ui.signal("SIGTERM");
    expect(await ui.exit(90_000)).toEqual({ code: 0, signal: null });
  });

  test("--open opens it in the browser, and where there is none says so and goes on", async () => {
    const own = env();
    const dir = await mkdtemp(join(tmpdir(), "millrace-ui-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    const opener = join(dir, "xdg-open");
    await writeFile(
      opener,
      `#!/bin/sh\nprintf %s "$1" > "${dir}/opened.part"\nmv "${dir}/opened.part" "${dir}/opened"\n`,
      { mode: 0o755 },
    );
    const bin = `${dir}:${process.env["PATH"] ?? ""}`;
    const ui = startMillrace(["ui", "--ui-port", "0", "--open", "--json"], { ...own, PATH: bin });
    const { url } = JSON.parse(await ui.line(/"url"/, 90_000)) as { url: string };
    expect(
      await eventually(() => readFile(join(dir, "opened"), "utf8"), {
        ...{ withinMs: 60_000, describe: "the browser was asked" },
      }),
    ).toBe(url);
    ui.signal("SIGTERM");
    expect(await ui.exit(90_000)).toMatchObject({ code: 0 });
    await writeFile(opener, "#!/bin/sh\nexit 3\n", { mode: 0o755 });
    const without = startMillrace(["ui", "--ui-port", "0", "--open"], { ...own, PATH: bin });
    await without.line(/no browser could be opened \(xdg-open ended with code 3\)/, 90_000);
    without.signal("SIGTERM");
    expect(await without.exit(90_000)).toMatchObject({ code: 0 });
  });

  test("says how much waits in Prometheus' format where there is no node that could", async () => {
    const own = env();
    await using client = await connect({
      ...{ servers: server.url, namespace: own.MILLRACE_NAMESPACE, env: {} },
    });
    await client.queues.ensure("mail");
    await client.enqueueMany(send, [{ input: { n: 1 } }, { input: { n: 2 } }]);
    const ui = startMillrace(["ui", "--ui-port", "0", "--json"], own);
    const { url } = JSON.parse(await ui.line(/"url"/, 90_000)) as { url: string };
    const response = await fetch(`${url}metrics`);
    expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
    const page = readExposition(await response.text());
    const mail = { queue: "mail" };
    expect(page.value("millrace_queue_depth", mail)).toBe(2);
    for (const none of ["inflight", "delayed", "blocked", "dead_letters"])
      expect(page.value(`millrace_queue_${none}`, mail), none).toBe(0);
    expect(page.value("millrace_queue_oldest_job_age_seconds", mail)).toBeGreaterThan(0);
    expect(page.value("millrace_queue_nodes", mail)).toBe(0);
    expect(page.value("millrace_fleet_nodes", { state: "running" })).toBe(0);
    expect(await statusAs("evil.example", `${url}metrics`)).toBe(403);
    ui.signal("SIGTERM");
    expect(await ui.exit(90_000)).toEqual({ code: 0, signal: null });
  });

  test("people of a file may log in from other machines; a file without any is refused", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ui-users-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, "users");
    const args = [
      "ui",
      "--ui-host",
      "0.0.0.0",
      "--ui-port",
      "0",
      "--ui-users-file",
      file,
      "--json",
    ];
    await writeFile(file, "\n");
    for (const words of [/names no user/, /can't be read/]) {
      const { code, out } = await millrace(args, { env: env() });
      expect(JSON.parse(out)).toMatchObject({
        error: { code: "invalid-option", message: expect.stringMatching(words) },
      });
      expect(code).not.toBe(0);
      await rm(file, { force: true });
    }
    await writeFile(file, "ada:operator:correct-horse-battery\nbob:viewer:another-long-password\n");
    const ui = startMillrace(args, env());
    const { url } = JSON.parse(await ui.line(/"url"/, 90_000)) as { url: string };
    const local = url.replace("0.0.0.0", "127.0.0.1");
    expect((await fetch(`${local}api/session`)).status).toBe(401);
    const headers = { authorization: "Bearer another-long-password" };
    expect(await (await fetch(`${local}api/session`, { headers })).json()).toMatchObject({
      user: { name: "bob", role: "viewer" },
    });
    ui.signal("SIGTERM");
    await ui.exit(90_000);
  });

  test("whom the proxy in front of it names is let in, and who tries passwords out locks itself out alone", async () => {
    const ui = startMillrace(
      [
        ...["ui", "--ui-host", "0.0.0.0", "--ui-port", "0", "--json"],
        ...["--ui-proxies", "127.0.0.1,10.0.0.0/8", "--ui-user-header", "X-Forwarded-User"],
      ],
      { ...env(), MILLRACE_UI_USERS: "ada:operator,*:viewer,bob:viewer:another-long-password" },
    );
    const { url } = JSON.parse(await ui.line(/"url"/, 90_000)) as { url: string };
    const ask = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${url.replace("0.0.0.0", "127.0.0.1")}api/session`, { headers });
    for (const [name, role] of [
      ["ada", "operator"],
      ["carol", "viewer"],
    ] as const)
      expect(await (await ask({ "x-forwarded-user": name })).json()).toMatchObject({
        user: { name, role },
      });
    expect((await ask({ "x-forwarded-user": "" })).status).toBe(401);
    const wrong = { authorization: "Bearer no-such-password", "x-forwarded-for": "192.0.2.1" };
    for (let n = 0; n < 10; n += 1) expect((await ask(wrong)).status).toBe(401);
    const right = { authorization: "Bearer another-long-password" };
    expect((await ask({ ...right, "x-forwarded-for": "192.0.2.1" })).status).toBe(429);
    expect((await ask({ ...right, "x-forwarded-for": "192.0.2.2" })).status).toBe(200);
    ui.signal("SIGTERM");
    await ui.exit(90_000);
  });

  test("refuses to listen for other machines where nobody has to log in", async () => {
    const { code, out } = await millrace(
      ["ui", "--ui-host", "0.0.0.0", "--ui-port", "0", "--json"],
      {
        env: env(),
      },
    );
    expect(JSON.parse(out)).toMatchObject({ error: { code: "dashboard-unprotected" } });
    expect(code).toBe(2);
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
