import { execFile } from "node:child_process";
import { constants, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { connect, defineJob, type Millrace } from "millrace";
import { expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type CommandResult, millraceHere, startMillrace } from "./millrace.ts";

vi.setConfig({ testTimeout: patient(240_000) });

const fixture = (name: string): string => join(import.meta.dirname, `fixtures/${name}.ts`);
const trial = defineJob({ name: "trial", queue: "trials" });
const IDS = ["t-renamed", "t-same", "t-throws"];
const TRACE = "a".repeat(32);

/** Its wait is on record, and no node has it in hand. */
async function waitsForApproval(client: Millrace, id: string): Promise<boolean> {
  const { state, steps = [] } = await client.job(id, { queue: "trials" });
  const isOpen = steps.some((step) => step.name === "approval" && step.state === "waiting");
  return isOpen && state === "delayed";
}

describeEachServer("millrace steps check", (server) => {
  test("runs in flight are replayed with new code, and no step is run", async () => {
    const namespace = server.namespace();
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const check = (...args: string[]): Promise<CommandResult> =>
      millraceHere(["steps", "check", ...args], { env });
    startMillrace(["run", fixture("trial"), "--json", "--health-port", "0"], env);
    const client = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());
    await eventually(
      async () => (await client.queues.list()).some(({ queue }) => queue === "trials"),
      { withinMs: 60_000, describe: "the queue is there" },
    );
    const headers = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
    for (const id of IDS) await client.enqueue(trial, {}, { id, headers });
    for (const id of IDS)
      await eventually(() => waitsForApproval(client, id), {
        ...{ withinMs: 60_000, describe: `${id} waits for its approval` },
      });

    const same = await check(fixture("trial"));
    expect(same).toMatchObject({ code: 0 });
    expect(same.out).toMatch(/^JOB +NAME +OUTCOME +RECORDED +TRACE +WHERE\n/);
    expect(same.out).toMatch(/trials\/t-same +trial +goes-on +1 +a{32} +approval: open\n/);
    const linked = await check(fixture("trial"), "--trace-url", "http://jaeger/{traceId}");
    expect(linked.out).toContain(`http://jaeger/${TRACE}  approval: open\n`);
    expect(same.out).toContain("3 runs were replayed, 0 would break\n");

    const folder = await mkdtemp(join(tmpdir(), "millrace-runs-"));
    cleanUpLater(() => rm(folder, { recursive: true }));
    const file = join(folder, "runs.json");
    await writeFile(file, "old", { mode: 0o644 });
    const changed = await check(fixture("changed-trial"), "--save", file);
    expect(changed).toMatchObject({ code: 1 });
    expect(changed.out).toMatch(
      /trials\/t-renamed +trial +early +0 +a{32} +take the money: new, before .*: (charge|approval), /,
    );
    expect(changed.out).toMatch(
      /trials\/t-throws +trial +throws +0 +a{32} +Error: password=\*\*\*/,
    );
    expect(changed.out).toMatch(/trials\/t-same +trial +goes-on/);
    expect(changed.out).not.toContain("hunter2");
    expect(changed.out).toContain("3 runs were replayed, 2 would break\n");

    expect(JSON.parse(await readFile(file, "utf8"))).toHaveLength(IDS.length);
    expect((await stat(file)).mode & 0o077).toBe(0);

    // What is no file is somebody else's, as a device is: it is written to, and its rights stay.
    const pipe = join(folder, "pipe");
    await promisify(execFile)("mkfifo", ["-m", "644", pipe]);
    const reading = readFile(pipe, "utf8");
    const done = await check(fixture("trial"), "--save", pipe);
    // If the command failed before it opened the pipe, its reader would wait for ever.
    await writeFile(pipe, "", { flag: constants.O_WRONLY | constants.O_NONBLOCK }).catch(() => {});
    expect(done).toMatchObject({ code: 0 });
    const read = await reading;
    expect(JSON.parse(read)).toHaveLength(IDS.length);
    expect((await stat(pipe)).mode & 0o777).toBe(0o644);
    const saved = await millraceHere(
      ["steps", "check", fixture("changed-trial"), "--runs", file, "--show-payload", "--json"],
      { env: { MILLRACE_SERVERS: "127.0.0.1:1" } },
    );
    expect(saved).toMatchObject({ code: 1 });
    const found = saved.json<{ breaking: number; runs: { job: { id: string } }[] }>();
    expect(found.breaking).toBe(2);
    expect(JSON.stringify(found.runs)).toContain("hunter2");
    // Nothing was changed.
    expect(await client.job("t-same")).toMatchObject({ state: "delayed" });
  });

  test("a file without jobs that have steps is refused", async () => {
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() };
    const refused = await millraceHere(["steps", "check", fixture("door")], { env });
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.err).toContain("exports a job with steps");
  });
});
