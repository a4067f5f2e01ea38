// What the image runs for the dashboard, without an image: its entry, its environment and the
// argument of the chart, out of the packed packages. In a container: test/deploy/image.test.ts.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "millrace";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { describeServer } from "../harness/servers.ts";
import { installPackages } from "../packaging/installed-packages.ts";
import { startProgram } from "../runtimes/program.ts";

const FILE = readFileSync(join(import.meta.dirname, "../../deploy/Containerfile"), "utf8");
const MINUTES = 5 * 60_000;

/** The image's last stage: what `ENV` sets, `PATH` aside, and what `ENTRYPOINT` names. */
const environment = Object.fromEntries(
  [...FILE.matchAll(/^(?:ENV)?\s+([A-Z_]+)=(\S+)/gm)]
    .map(([, name = "", value = ""]) => [name, value] as const)
    .filter(([name]) => name === "NODE_ENV" || name.startsWith("MILLRACE_")),
);
const entry = JSON.parse(/^ENTRYPOINT (.+)$/m.exec(FILE)?.[1] ?? "[]") as readonly string[];

describeServer("the image's entry, as `ui`", "newest", (server) => {
  let bin: string;
  let dir: string;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "millrace-entry-"));
    cleanUpLater(() => rmSync(dir, { recursive: true, force: true }));
    bin = join(await installPackages(dir), ".bin");
  }, MINUTES);

  const start = (own: Readonly<Record<string, string>>) =>
    startProgram([join(bin, entry[0] ?? ""), "ui", "--json"], {
      cwd: dir,
      env: {
        ...environment,
        PATH: `${bin}:${process.env["PATH"] ?? ""}`,
        ...{ MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() },
        ...{ MILLRACE_UI_PORT: "0", ...own },
      },
    });

  test("says who may come from other machines before it serves there, and then serves its page", async () => {
    expect(entry).toEqual(["millrace"]);
    expect(environment).toMatchObject({ NODE_ENV: "production", MILLRACE_UI_HOST: "0.0.0.0" });
    await start({}).says("dashboard-unprotected");
    const users = join(dir, "users");
    writeFileSync(users, "ada:operator:correct-horse-battery\n");
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    await client.queues.ensure("mail");
    const ui = start({ MILLRACE_UI_USERS_FILE: users, MILLRACE_NAMESPACE: namespace });
    const { url } = JSON.parse(await ui.says('"url"')) as { readonly url: string };
    expect(url).toMatch(/^http:\/\/0\.0\.0\.0:\d+\/$/);
    const own = url.replace("0.0.0.0", "127.0.0.1");
    const headers = { authorization: "Bearer correct-horse-battery" };
    const page = await (await fetch(own, { headers })).text();
    const assets = [...page.matchAll(/(?:src|href)="(assets\/[^"]+)"/g)].map(([, to]) => to);
    expect(assets.length).toBeGreaterThan(1);
    for (const asset of assets) expect(await statusOf(`${own}${asset}`, headers), asset).toBe(200);
    expect(await statusOf(own)).toBe(401);
    expect(await (await fetch(`${own}api/overview`, { headers })).json()).toMatchObject({
      queues: [{ queue: "mail" }],
    });
    await ui.end();
  });
});

/** Read to its end, so that nothing is left open. */
async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(url, { headers });
  await response.arrayBuffer();
  return response.status;
}
