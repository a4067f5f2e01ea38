import { connect, defineJob } from "millrace";
import { expect, test, vi } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { startMillrace } from "./millrace.ts";

const send = defineJob<{ readonly n: number }>({ name: "mail.send", queue: "mail" });
// Each starts Node, with a deadline of its own.
vi.setConfig({ testTimeout: 240_000 });

describeServer("millrace ui", "newest", (server) => {
  const env = () => ({ MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() });

  test("a dashboard that is killed leaves an operation that another finishes", async () => {
    const own = env();
    const count = 500;
    await using client = await connect({
      ...{ servers: server.url, namespace: own.MILLRACE_NAMESPACE, env: {} },
    });
    await client.queues.ensure("mail");
    const items = Array.from({ length: count }, (_, n) => ({ input: { n }, id: `s${n}` }));
    await client.enqueueMany(send, items);
    const first = startMillrace(["ui", "--ui-port", "0", "--json"], own);
    const { url } = JSON.parse(await first.line(/"url"/, 90_000)) as { url: string };
    const answer = await fetch(`${url}api/operations`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-millrace-change": "1" },
      body: JSON.stringify({ kind: "jobs-cancel", filter: { state: "queued", queue: "mail" } }),
    });
    const { operation } = (await answer.json()) as { operation: string };
    await eventually(async () => (await client.operations.get(operation)).done > 0, {
      ...{ withinMs: 120_000, describe: "the first dashboard is at it" },
    });
    await first.kill();
    const second = startMillrace(["ui", "--ui-port", "0", "--json"], own);
    await second.line(/"url"/, 90_000);
    await eventually(
      async () => (await client.operations.get(operation)).progress.state === "done",
      { withinMs: 120_000, describe: "another dashboard has finished the operation" },
    );
    expect(await client.operations.get(operation)).toMatchObject({
      ...{ total: count, done: count, gone: 0, failed: 0 },
    });
    const cancelled = await client.operations.items(operation);
    expect(new Set(cancelled.map(({ id }) => id)).size).toBe(count);
    second.signal("SIGTERM");
    expect(await second.exit(90_000)).toEqual({ code: 0, signal: null });
  });
});
