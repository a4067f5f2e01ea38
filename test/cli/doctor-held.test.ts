// What the doctor says of a job whose node was killed, while its lease goes on.
import { fileURLToPath } from "node:url";
import { connect, defineJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Diagnosis } from "./diagnosis.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { millraceHere, startMillrace } from "./millrace.ts";

vi.setConfig({ testTimeout: 240_000 });

const JOBS = fileURLToPath(new URL("jobs.ts", import.meta.url));
const PATIENCE_MS = 90_000;
const slow = defineJob<{ ms: number }, string>({ name: "slow", queue: "work" });

describeServer("millrace jobs get", "newest", (server) => {
  test("says that a job runs again whose node was killed", async () => {
    const namespace = server.namespace();
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const start = (name: string) =>
      startMillrace(["run", JOBS, "--name", name, "--health-port", "0", "--lease", "3s"], env);
    const first = start("a");
    await first.line(/running/, PATIENCE_MS);
    await using client = await connect({ servers: server.url, namespace, env: {} });
    await client.enqueue(slow, { ms: 600_000 }, { id: "s1" });
    await first.line(/slow has started/, PATIENCE_MS);
    const get = async (): Promise<string> =>
      (await millraceHere(["jobs", "get", "s1"], { env })).out;
    expect(await get()).toMatch(/^node +a, since \S+Z$/m);
    await first.kill();
    const second = start("b");
    onTestFinished(() => second.kill());
    await second.line(/slow has started/, PATIENCE_MS);
    expect(await get()).toMatch(
      /^node +b, since \S+Z; handed out 2 times: an earlier holder died/m,
    );
  });
});

describeServer("millrace doctor", "newest", (server) => {
  test("names the node that is gone with a job of a queue that nobody else serves, and until when it waits", async () => {
    const namespace = server.namespace();
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const args = ["--name", "a", "--health-port", "0", "--lease", "1h"];
    const node = startMillrace(["run", JOBS, ...args], env);
    await node.line(/running/, PATIENCE_MS);
    await using client = await connect({ servers: server.url, namespace, env: {} });
    await client.enqueue(slow, { ms: 600_000 });
    await node.line(/slow has started/, PATIENCE_MS);
    await node.kill();
    const found = async () => {
      const { findings } = (await millraceHere(["doctor", "--json"], { env })).json<Diagnosis>();
      return findings.find(({ check }) => check === "backlog work");
    };
    await eventually(async () => (await found()) !== undefined, {
      ...{ withinMs: PATIENCE_MS, describe: "the doctor misses the node" },
    });
    const { message, advice } = (await found()) ?? {};
    expect(message).toMatch(/^1 job was handed to a, which has not been heard of for \d+s, and no/);
    expect(advice).toMatch(
      /Where a is gone, they are handed out again by \d{4}-.*Z \(its lease is 1h\)/,
    );
  });
});
