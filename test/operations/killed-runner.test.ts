import { join } from "node:path";
import { connect, fatal, type Millrace } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { patient } from "../harness/cluster/mode.ts";
import { startChild, type TestChild } from "../harness/child.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { charge, QUEUE } from "./programs/jobs.ts";

const COUNT = 60;
/** Within the second step of twenty. */
const AFTER = 33;
const PATIENCE_MS = 120_000;
// A lease must end, and a process start, on a machine that does much else.
vi.setConfig({ testTimeout: patient(400_000) });

describeEachServer("an operation whose process is gone", (server) => {
  /** Jobs that died, and a child that sends itself the signal while it retries them. */
  async function scene(signal: "SIGKILL" | "SIGSTOP") {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    // Nothing but a look keeps a second publish from being a second run.
    await client.broker.queues.ensure(QUEUE, { dedupeWindowMs: 100 });
    const runs = new Map<string, number>();
    let bankIsUp = false;
    await startNodeOnServer(server, {
      namespace,
      jobs: [
        charge.handler(({ job: { id } }) => {
          if (!bankIsUp) throw fatal("the bank is down");
          runs.set(id, (runs.get(id) ?? 0) + 1);
        }),
      ],
    });
    const items = Array.from({ length: COUNT }, (_, n) => ({ input: { n }, id: `c${n}` }));
    await client.enqueueMany(charge, items);
    await deadLetters(client, COUNT);
    bankIsUp = true;
    const filter = { queue: QUEUE };
    const { id, total } = await client.operations.start({ kind: "dead-retry", filter, by: "ada" });
    expect(total).toBe(COUNT);
    return { client, id, runs, child: dying(namespace, id, signal, "requeue") };
  }

  const dying = (
    namespace: string,
    id: string,
    signal: "SIGKILL" | "SIGSTOP",
    call: "requeue" | "move",
  ): TestChild =>
    startChild(join(import.meta.dirname, "programs/dying-program.ts"), {
      args: [server.url, namespace, id, signal, String(AFTER), call],
    });

  const deadLetters = (client: Millrace, count: number): Promise<unknown> =>
    eventually(async () => (await client.jobs.count({ state: "dead" })) === count, {
      withinMs: PATIENCE_MS,
      describe: `${count} dead letters`,
    });

  async function finishedByAnother({
    client,
    id,
    runs,
  }: {
    readonly client: Millrace;
    readonly id: string;
    readonly runs: ReadonlyMap<string, number>;
  }): Promise<void> {
    const serving = await client.operations.serve();
    onTestFinished(() => serving.stop());
    await eventually(async () => (await client.operations.get(id)).progress.state === "done", {
      withinMs: PATIENCE_MS,
      describe: "another has finished the operation",
    });
    await eventually(() => runs.size === COUNT, {
      withinMs: PATIENCE_MS,
      describe: "every job has run",
    });
  }

  async function nothingTwice(
    client: Millrace,
    id: string,
    runs: ReadonlyMap<string, number>,
  ): Promise<void> {
    // What was enqueued behind all of them has run, so whatever was published twice has, too.
    await (
      await client.enqueue(charge, { n: -1 }, { id: "last" })
    ).result({ timeout: PATIENCE_MS });
    const often = [...runs].filter(([, times]) => times !== 1);
    expect(often).toEqual([]);
    expect(await client.jobs.count({ state: "dead" })).toBe(0);
    expect(await client.operations.get(id)).toMatchObject({ done: COUNT, gone: 0, failed: 0 });
    const items = await client.operations.items(id);
    expect(items.filter(({ outcome }) => outcome === "done")).toHaveLength(COUNT);
    expect(await client.audit.list()).toMatchObject([
      { id, action: "dead retry", by: "ada", outcome: { state: "done", count: COUNT, failed: 0 } },
    ]);
  }

  test("killed between a publish and its letter's removal: another retries the rest, no job runs twice, none is left out", async () => {
    const of = await scene("SIGKILL");
    const { client, id, runs, child } = of;
    expect(await child.exit(PATIENCE_MS)).toEqual({ code: null, signal: "SIGKILL" });
    await eventually(() => runs.size === AFTER, {
      withinMs: PATIENCE_MS,
      describe: "what it has published has run",
    });
    expect(await client.jobs.count({ state: "dead" })).toBe(COUNT - AFTER + 1);
    expect(await client.operations.get(id)).toMatchObject({ progress: { state: "running" } });
    await finishedByAnother(of);
    await nothingTwice(client, id, runs);
  });

  test("killed between a job's other time and its word of it: another moves the rest, and undo brings back all", async () => {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    await client.broker.queues.ensure(QUEUE);
    await startNodeOnServer(server, { namespace, jobs: [charge.handler(() => undefined)] });
    const items = Array.from({ length: COUNT }, (_, n) => ({
      ...{ input: { n }, id: `c${n}`, delay: "1h" as const },
    }));
    await client.enqueueMany(charge, items);
    const due = async (): Promise<ReadonlyMap<string, number>> =>
      new Map(
        (await client.delayed.list({ limit: 500 })).map(({ id, notBefore }) => [id, notBefore]),
      );
    await eventually(async () => (await due()).size === COUNT, {
      withinMs: PATIENCE_MS,
      describe: "a node has put the jobs aside for their time",
    });
    const before = await due();
    const at = Date.now() + 10 * 3_600_000;
    const filter = { queue: QUEUE };
    const { id } = await client.operations.start({ kind: "jobs-reschedule", filter, at });
    const child = dying(namespace, id, "SIGKILL", "move");
    expect(await child.exit(PATIENCE_MS)).toEqual({ code: null, signal: "SIGKILL" });
    const moved = [...(await due()).values()].filter((time) => time === at);
    expect(moved).toHaveLength(AFTER);
    expect(await client.operations.run(id)).toMatchObject({ done: COUNT, gone: 0, failed: 0 });
    expect(new Set((await due()).values())).toEqual(new Set([at]));
    const undo = await client.operations.undo(id);
    expect(await client.operations.run(undo.id)).toMatchObject({ total: COUNT, done: COUNT });
    expect(await due()).toEqual(before);
  });

  test("frozen at that moment until another has finished: awake again it does nothing more", async () => {
    const of = await scene("SIGSTOP");
    const { client, id, runs, child } = of;
    await eventually(() => runs.size === AFTER, {
      withinMs: PATIENCE_MS,
      describe: "what it has published has run",
    });
    await finishedByAnother(of);
    child.signal("SIGCONT");
    await awake(child);
    await nothingTwice(client, id, runs);
  });

  async function awake(child: TestChild): Promise<void> {
    expect(await child.line(/^failed/, PATIENCE_MS)).toBe("failed lock-lost");
    expect(await child.line(/^published/, PATIENCE_MS)).toBe(`published ${AFTER}`);
    await child.exit(PATIENCE_MS);
  }
});
