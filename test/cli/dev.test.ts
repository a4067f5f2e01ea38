import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { eventually } from "../harness/deadline.ts";
import { serversUnderTest } from "../harness/servers.ts";
import { millrace, startMillrace } from "./millrace.ts";

// Ten starts of Node, each with a deadline of its own.
vi.setConfig({ testTimeout: 360_000 });

test("a port of the server that is taken is said in a line, before anything is started", async () => {
  const dir = await mkdtemp(join(tmpdir(), "millrace-dev-"));
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  try {
    const { code, out, err } = await millrace(["dev", "--dir", dir, "--port", String(port)], {
      env: { NATS_SERVER: join(dir, "never-looked-for") },
    });
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(
      new RegExp(
        `^error --port: ${port} of 127\\.0\\.0\\.1 can't be used: .*\\(invalid-option\\)$`,
        "m",
      ),
    );
    expect(err.trim().split("\n")).toHaveLength(2);
  } finally {
    other.close();
    await rm(dir, { recursive: true });
  }
});

describe.each(serversUnderTest().filter((server) => server.state === "present"))(
  "millrace dev with nats-server $version",
  ({ path }) => {
    test("says where to look, and there is the dashboard", async () => {
      outOfCluster();
      const parent = await mkdtemp(join(tmpdir(), "millrace-dev-"));
      try {
        const dev = startMillrace(
          [
            ...["dev", "--dir", join(parent, "store"), "--port", "0"],
            ...["--ui-port", "0", "--health-port", "0"],
          ],
          { NATS_SERVER: path },
        );
        const [, address = ""] = /look +(http\S+)/.exec(await dev.line(/look +http/, 90_000)) ?? [];
        expect(await (await fetch(address)).text()).toContain("<title>");
        dev.signal("SIGINT");
        expect(await dev.exit(90_000)).toEqual({ code: 0, signal: null });
      } finally {
        await rm(parent, { recursive: true });
      }
    });

    test("starts a server and a node, runs a job, keeps its data, and takes its server with it", async () => {
      outOfCluster();
      const parent = await mkdtemp(join(tmpdir(), "millrace-dev-"));
      const dir = join(parent, "store");
      const other = createServer().listen(0);
      await once(other, "listening");
      const { port: taken } = other.address() as AddressInfo;
      try {
        for (const visit of ["first", "second"]) {
          const dev = startMillrace(
            [
              ...["dev", "--dir", dir, "--port", "0", "--ui-port", "0", "--json"],
              // Taken, as by another node on this machine: another port will do.
              ...["--health-port", visit === "first" ? String(taken) : "0"],
            ],
            { NATS_SERVER: path },
          );
          const ready = JSON.parse(await dev.line(/"healthUrl"/, 90_000)) as {
            servers: string[];
            jobs: string[];
            queues: string[];
            dashboardUrl: string;
            healthUrl: string;
          };
          const said = dev.output().filter((line) => line.startsWith(`port ${taken} is taken`));
          expect(said).toHaveLength(visit === "first" ? 1 : 0);
          expect((await fetch(`${ready.healthUrl}/readyz`)).status).toBe(200);
          // Nobody commits the server's store; what is written there stays.
          const ignore = join(dir, ".gitignore");
          expect(await readFile(ignore, "utf8")).toMatch(visit === "first" ? /^\*$/m : /^mine$/);
          await writeFile(ignore, "mine");
          expect(ready).toMatchObject({ jobs: ["hello"], queues: ["default"] });
          expect((await fetch(`${ready.dashboardUrl}api/overview`)).status).toBe(200);
          // A second server on the same store would lose what the first has confirmed.
          const twice = await millrace(["dev", "--dir", dir, "--port", "0", "--health-port", "0"], {
            env: { NATS_SERVER: path },
          });
          expect(twice).toMatchObject({ code: 2, out: "" });
          expect(twice.err).toContain(`runs at ${ready.servers[0]}`);
          expect(twice.err).toContain("store-in-use");
          const env = { MILLRACE_SERVERS: ready.servers.join(",") };
          await millrace(["enqueue", "hello", '{"name":"Ada"}', "--id", visit], { env });
          const greeted = async (): Promise<boolean> =>
            (await millrace(["jobs", "get", visit, "--json"], { env })).out.includes(
              '"greeting":"Hello, Ada!"',
            );
          await eventually(greeted, { withinMs: 20_000, describe: "the hello job has run" });
          const listed = (await millrace(["jobs", "list", "--json"], { env }))
            .json<{ id: string }[]>()
            .map(({ id }) => id);
          expect(listed).toEqual(visit === "first" ? ["first"] : ["second", "first"]);
          dev.signal("SIGINT");
          expect(await dev.exit(90_000)).toEqual({ code: 0, signal: null });
          expect((await millrace(["queues"], { env })).code).toBe(3);
        }
      } finally {
        other.close();
        await rm(parent, { recursive: true });
      }
    });
  },
);
