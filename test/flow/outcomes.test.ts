import { join } from "node:path";
import { connect } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { startChild } from "../harness/child.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { CASES, handled, jobOf, PATIENCE, tell, type Told } from "./outcome-jobs.ts";

vi.setConfig({ testTimeout: patient(300_000) });

describeEachServer("jobs that are told of an end", (server) => {
  test("each is enqueued once, wherever in the settlement its node was killed", async () => {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    await Promise.all(
      CASES.map(async ({ end, dieBefore }) => {
        const child = startChild(join(import.meta.dirname, "outcome-program.ts"), {
          args: [server.url, namespace, end, dieBefore],
        });
        await child.line(/^ready$/, 60_000);
        await client.enqueue(jobOf(end, dieBefore), 7, { id: "a" });
        expect((await child.exit(90_000)).signal).toBe("SIGKILL");
      }),
    );
    const ranAgain: string[] = [];
    const told: Told[] = [];
    const heirs = CASES.map(({ end, dieBefore }) =>
      handled(end, dieBefore, () => ranAgain.push(`${end} before ${dieBefore}`)),
    );
    const hears = tell.handler(({ input }) => void told.push(input));
    await startNodeOnServer(server, { jobs: [...heirs, hears], namespace, ...PATIENCE });
    const queues = [...CASES.map(({ end, dieBefore }) => jobOf(end, dieBefore).queue), tell.queue];
    const left = async (): Promise<number> => {
      const all = await Promise.all(queues.map((queue) => client.broker.queues.snapshot(queue)));
      return all.reduce((sum, { queued, running, delayed }) => sum + queued + running + delayed, 0);
    };
    await eventually(async () => told.length >= CASES.length && (await left()) === 0, {
      withinMs: 90_000,
      describe: "every job is settled, and so is every job that is told of one",
    });
    expect(ranAgain).toEqual([]);
    expect(told.map(({ end, queue }) => `${queue} ${end}`).toSorted()).toEqual(
      CASES.map(({ end, dieBefore }) => `${jobOf(end, dieBefore).queue} ${end}`).toSorted(),
    );
    for (const one of told) expect(one).toMatchObject({ id: "a", payload: 7 });
  });
});
