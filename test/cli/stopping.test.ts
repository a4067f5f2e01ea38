import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { within } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { millrace, startMillrace } from "./millrace.ts";

const JOBS = fileURLToPath(new URL("jobs.ts", import.meta.url));

describeServer("millrace run and signals", "newest", (server) => {
  async function withSlowJob(ms: number, grace: string) {
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() };
    const node = startMillrace(["run", JOBS, "--health-port", "0", "--grace", grace], env);
    await node.line(/^running/, 20_000);
    await millrace(["enqueue", "slow", JSON.stringify({ ms }), "--queue", "work", "--id", "s1"], {
      env,
    });
    await node.line(/slow has started/, 20_000);
    return {
      node,
      job: async () =>
        (await millrace(["jobs", "get", "s1", "--json"], { env })).json<{
          state: string;
          attempts: number;
          history: { outcome: string }[];
        }>(),
    };
  }

  test("the first signal lets a running job end", async () => {
    const { node, job } = await withSlowJob(1_500, "20s");
    node.signal("SIGTERM");
    expect(await node.exit(90_000)).toEqual({ code: 0, signal: null });
    expect(await job()).toMatchObject({ state: "succeeded", attempts: 1 });
  });

  test("a second signal hands the job back at once, unspent", async () => {
    const { node, job } = await withSlowJob(60_000, "50s");
    // What an election keeps from being handed back in time is let go, without a record.
    await server.calm();
    const startedAt = performance.now();
    node.signal("SIGINT");
    await node.line(/node is draining/, 20_000);
    node.signal("SIGINT");
    expect(await node.exit(90_000)).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    const { state, attempts, history } = await job();
    expect({ state, attempts }).toEqual({ state: "queued", attempts: 0 });
    // A pull that was still open may bring the job once more, which is handed back likewise.
    expect(new Set(history.map(({ outcome }) => outcome))).toEqual(new Set(["interrupted"]));
  });

  test("while it waits for its server it is alive, unready and says so, and a signal ends it", async () => {
    const dials = { count: 0, twice: Promise.withResolvers<void>() };
    // Nothing that speaks NATS: each dial fails, and the second one shows that the node keeps
    // trying.
    const listener = createServer((socket) => {
      socket.destroy();
      if ((dials.count += 1) === 2) dials.twice.resolve();
    });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    try {
      const { port } = listener.address() as AddressInfo;
      const node = startMillrace([
        "run",
        JOBS,
        "--server",
        `nats://127.0.0.1:${port}`,
        "--health-port",
        "0",
      ]);
      await within(dials.twice.promise, 20_000, "a second attempt to connect");
      const { url } = JSON.parse(await node.line(/health and metrics are answered/, 20_000)) as {
        url: string;
      };
      const ask = (path: string): Promise<Response> =>
        fetch(`${url}${path}`, { headers: { connection: "close" } });
      expect((await ask("/livez")).status).toBe(200);
      const readyz = await ask("/readyz");
      expect(readyz.status).toBe(503);
      expect(await readyz.json()).toMatchObject({
        state: "starting",
        problems: [`waiting for a NATS server at nats://127.0.0.1:${port}`],
      });
      expect(await (await ask("/metrics")).text()).toMatch(
        /^millrace_node_ready\{millrace_namespace="millrace"\} 0$/m,
      );
      await node.line(/waiting for a NATS server: none answers yet/, 20_000);
      node.signal("SIGTERM");
      expect(await node.exit(90_000)).toEqual({ code: 0, signal: null });
    } finally {
      listener.close();
      await once(listener, "close");
    }
  });
});
