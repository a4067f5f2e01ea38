// millrace run --processes: several processes that are one to whoever runs them.
import { fileURLToPath } from "node:url";
import { connect, defineJob, type Millrace } from "millrace";
import { expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { startMillrace } from "./millrace.ts";

vi.setConfig({ testTimeout: 240_000 });

const JOBS = fileURLToPath(new URL("jobs.ts", import.meta.url));
const PATIENCE_MS = 90_000;

const slow = defineJob<{ ms: number }, string>({ name: "slow", queue: "work" });

interface Said {
  readonly nodes: readonly string[];
  readonly healthUrl: string;
}

describeServer("millrace run --processes", "newest", (server) => {
  async function group() {
    const namespace = server.namespace();
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const args = ["--processes", "2", "--name", "web", "--health-port", "0", "--json"];
    const running = startMillrace(["run", JOBS, ...args], env);
    const { nodes, healthUrl } = JSON.parse(await running.line(/"nodes"/, PATIENCE_MS)) as Said;
    const client = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());
    const pids = await pidsOf(client);
    cleanUpLater(() => {
      for (const pid of pids.values()) if (isThere(pid)) process.kill(pid, "SIGKILL");
    });
    const ask = (path: string): Promise<Response> =>
      fetch(`${healthUrl}${path}`, { headers: { connection: "close" } });
    const ready = (): Promise<boolean> =>
      eventually(async () => (await ask("/readyz")).status === 200, {
        ...{ withinMs: PATIENCE_MS, describe: "both are ready" },
      });
    return { running, nodes, client, pids, ask, ready };
  }

  test("both are one: a health port, a page of metrics, a shutdown", async () => {
    const { running, nodes, client, pids, ask, ready } = await group();
    expect(nodes).toEqual(["web-1", "web-2"]);
    await ready();
    expect(await (await ask("/readyz")).json()).toEqual({ live: true, ready: true, problems: [] });
    const page = await (await ask("/metrics")).text();
    for (const process of [1, 2])
      expect(page).toMatch(
        new RegExp(`^millrace_node_ready\\{(?=.*process="${process}").*\\} 1$`, "m"),
      );
    expect(page.match(/^# TYPE millrace_node_ready /gm)).toHaveLength(1);
    const job = await client.enqueue(slow, { ms: 1_500 });
    await running.line(/slow has started/, PATIENCE_MS);
    running.signal("SIGTERM");
    expect(await running.exit(PATIENCE_MS)).toEqual({ code: 0, signal: null });
    expect(await job.result({ timeout: "30s" })).toBe("slept");
    expect([...pids.values()].filter(isThere)).toEqual([]);
  });

  test("one that is killed is told of, and started again", async () => {
    const { running, client, pids, ask, ready } = await group();
    await ready();
    const killed = pids.get("web-2") ?? 0;
    process.kill(killed, "SIGKILL");
    await running.line(/process 2 has died \(SIGKILL\), and is started again in 1 s/, PATIENCE_MS);
    expect((await ask("/livez")).status).toBe(200);
    await ready();
    await eventually(async () => (await pidsOf(client)).get("web-2") !== killed, {
      ...{ withinMs: PATIENCE_MS, describe: "another process has its name" },
    });
    running.signal("SIGINT");
    expect(await running.exit(PATIENCE_MS)).toEqual({ code: 0, signal: null });
  });

  test("nodes that are ordered to stop stay stopped, and the last of them ends the command", async () => {
    const { running, nodes, client, ready } = await group();
    await ready();
    for (const name of nodes) await client.nodes.stop(name);
    expect(await running.exit(PATIENCE_MS)).toEqual({ code: 0, signal: null });
    expect(running.output().filter((line) => line.includes("has died"))).toEqual([]);
  });

  test("where the one that started them is killed, they stop", async () => {
    const { running, pids } = await group();
    await running.kill();
    await eventually(async () => [...pids.values()].every((pid) => !isThere(pid)), {
      ...{ withinMs: PATIENCE_MS, describe: "both have ended" },
    });
  });

  test("what keeps one from starting ends all, with its exit code", async () => {
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() };
    const args = ["run", "there-is-no-such-file.ts", "--processes", "3", "--health-port", "0"];
    const running = startMillrace(args, env);
    await running.line(/job-file-failed/, PATIENCE_MS);
    expect(await running.exit(PATIENCE_MS)).toEqual({ code: 2, signal: null });
  });
});

async function pidsOf(client: Millrace): Promise<ReadonlyMap<string, number>> {
  const pids = new Map<string, number>();
  await eventually(
    async () => {
      for (const { name, pid } of await client.nodes.list()) pids.set(name, pid);
      return pids.size === 2;
    },
    { withinMs: PATIENCE_MS, describe: "two nodes are listed" },
  );
  return pids;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
