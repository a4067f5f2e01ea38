import { join } from "node:path";
import { connect, fatal, type Millrace, type OperationTarget } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { patient } from "../harness/cluster/mode.ts";
import { startChild } from "../harness/child.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { charge, QUEUE } from "./programs/jobs.ts";

const COUNT = 45;
/** Within the second step of twenty. */
const AFTER = 27;
const PATIENCE_MS = 120_000;
// A lease must end, and a process start, on a machine that does much else.
vi.setConfig({ testTimeout: patient(400_000) });

describeEachServer("an undo whose process is killed", (server) => {
  async function scene() {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    // Nothing but a look keeps a second publish from being a second run.
    await client.broker.queues.ensure(QUEUE, { dedupeWindowMs: 100 });
    const runs = new Map<string, number>();
    let bankIsUp = false;
    const startNode = () =>
      startNodeOnServer(server, {
        namespace,
        jobs: [
          charge.handler(({ job: { id } }) => {
            if (!bankIsUp) throw fatal("the bank is down");
            runs.set(id, (runs.get(id) ?? 0) + 1);
          }),
        ],
      });
    const undone = async (
      target: OperationTarget,
      call: string,
      between: () => Promise<unknown> = () => Promise.resolve(),
    ) => {
      const { id } = await client.operations.start({ ...target, by: "ada" });
      expect(await client.operations.run(id)).toMatchObject({ done: COUNT, failed: 0 });
      await between();
      const undo = await client.operations.undo(id, { by: "bob" });
      const program = join(import.meta.dirname, "programs/dying-program.ts");
      const child = startChild(program, {
        args: [server.url, namespace, undo.id, "SIGKILL", String(AFTER), call],
      });
      expect(await child.exit(PATIENCE_MS)).toEqual({ code: null, signal: "SIGKILL" });
      expect(await client.operations.get(undo.id)).toMatchObject({
        progress: { state: "running" },
      });
      const serving = await client.operations.serve();
      onTestFinished(() => serving.stop());
      await eventually(
        async () => (await client.operations.get(undo.id)).progress.state === "done",
        { withinMs: PATIENCE_MS, describe: "another has finished the undo" },
      );
      expect(await client.operations.get(undo.id)).toMatchObject({
        ...{ total: COUNT, done: COUNT, gone: 0, failed: 0, filter: { undoes: id } },
      });
      expect((await client.audit.list()).find((entry) => entry.id === undo.id)).toMatchObject({
        ...{ by: "bob", outcome: { state: "done", count: COUNT, failed: 0 } },
      });
    };
    const enqueue = async (): Promise<void> => {
      const items = Array.from({ length: COUNT }, (_, n) => ({ input: { n }, id: `c${n}` }));
      await client.enqueueMany(charge, items);
    };
    const die = async (): Promise<void> => {
      const { node } = await startNode();
      await enqueue();
      await letters(client, COUNT);
      await node.stop();
      bankIsUp = true;
    };
    return {
      client,
      runs,
      undone,
      enqueue,
      die,
      startNode,
      bankIsUp: () => void (bankIsUp = true),
    };
  }

  const letters = (client: Millrace, count: number): Promise<unknown> =>
    eventually(async () => (await client.jobs.count({ state: "dead" })) === count, {
      withinMs: PATIENCE_MS,
      describe: `${count} dead letters`,
    });

  async function eachRanOnce(client: Millrace, runs: ReadonlyMap<string, number>): Promise<void> {
    await eventually(() => runs.size === COUNT, {
      withinMs: PATIENCE_MS,
      describe: "every job has run",
    });
    // What was enqueued behind all of them has run, so whatever was published twice has, too.
    const last = await client.enqueue(charge, { n: -1 }, { id: "last" });
    await last.result({ timeout: PATIENCE_MS });
    expect([...runs].filter(([, times]) => times !== 1)).toEqual([]);
    expect(await client.jobs.count({ state: "dead" })).toBe(0);
  }

  test("discarded letters are there again once each, and are retried", async () => {
    const { client, runs, undone, die, startNode } = await scene();
    await die();
    await undone({ kind: "dead-discard", filter: { queue: QUEUE } }, "add");
    await letters(client, COUNT);
    await startNode();
    await client.dead.retry({ queue: QUEUE });
    await eachRanOnce(client, runs);
  });

  test.each(["add", "takeOut"])(
    "retried jobs are dead letters again once each, killed after its %s, and none has run",
    async (call) => {
      const { client, runs, undone, die, startNode } = await scene();
      await die();
      await undone({ kind: "dead-retry", filter: { queue: QUEUE } }, call);
      await letters(client, COUNT);
      await startNode();
      await client.enqueue(charge, { n: 0 }, { id: "behind" }).then((job) => job.result());
      expect([...runs.keys()]).toEqual(["behind"]);
      runs.delete("behind");
      await client.dead.retry({ queue: QUEUE });
      await eachRanOnce(client, runs);
    },
  );

  test("cancelled jobs run after all, once each, killed after its requeue", async () => {
    const { client, runs, undone, enqueue, startNode, bankIsUp } = await scene();
    bankIsUp();
    await enqueue();
    // A node settles what was cancelled while none was there.
    await undone({ kind: "jobs-cancel", filter: { queue: QUEUE } }, "requeue", async () => {
      await startNode();
      const isCancelled = async (_: unknown, n: number): Promise<boolean> =>
        (await client.job(`c${n}`)).state === "cancelled";
      await eventually(
        async () => {
          const all = Array.from({ length: COUNT });
          return (await Promise.all(all.map(isCancelled))).every(Boolean);
        },
        { withinMs: PATIENCE_MS, describe: "a node has settled what was cancelled" },
      );
    });
    await eachRanOnce(client, runs);
  });
});
