import { type Duration, type HistoryRecord, type Logger, silentLogger } from "@millrace/core";
import { connect, createNode } from "millrace";
import { expect, it } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually, within } from "../harness/deadline.ts";
import { nobodyPulls } from "../harness/pulls.ts";
import { describeEachServer } from "../harness/servers.ts";
import { indexJob, QUEUE } from "./index-job.ts";

const WITHIN_MS = 30_000;

describeEachServer("a job for later that was replaced", (server) => {
  async function scene() {
    const namespace = server.namespace();
    const options = { servers: server.url, namespace, env: {} };
    const client = await connect(options);
    cleanUpLater(() => client.close());
    await client.queues.ensure(QUEUE);
    const job = indexJob({ onConflict: "replace" });
    const ran: number[] = [];
    const pause = Promise.withResolvers<void>();
    const log: Logger = {
      ...silentLogger,
      info: (_fields, message) => {
        if (message === "the controls of a queue have changed") pause.resolve();
      },
      child: () => log,
    };
    const node = await createNode({
      ...options,
      log,
      jobs: [job.handler(({ input }) => void ran.push(input.version))],
    });
    cleanUpLater(() => node.stop());
    await node.start();
    const ended = (id: string): Promise<HistoryRecord> =>
      eventually(
        async () => {
          const last = (await client.broker.history.read({ id, queue: QUEUE })).at(-1);
          return last?.state === "requeued" ? undefined : last;
        },
        { withinMs: WITHIN_MS, describe: `job ${id} has ended` },
      );
    return {
      client,
      ran,
      ended,
      /** The node knows of a pause, and has taken back what it had asked for before. */
      heard: async () => {
        await within(pause.promise, WITHIN_MS, "the node has heard the pause");
        const { jsm } = await administrator(server);
        await nobodyPulls(jsm, `${namespace}-queue-${QUEUE}`);
      },
      enqueue: (version: number, delay?: Duration) =>
        client.enqueue(
          job,
          { doc: "a", version },
          { id: `v${version}`, ...(delay === undefined ? {} : { delay }) },
        ),
      waits: (id: string) =>
        eventually(async () => (await client.broker.delayed.of({ id, queue: QUEUE })).length > 0, {
          withinMs: WITHIN_MS,
          describe: `job ${id} waits for its time`,
        }),
    };
  }

  const isReplaced = {
    state: "cancelled",
    reason: "Replaced by v2, which was enqueued later with the same unique key.",
  };

  it("ends with its successor's start, though the server is killed before that is enqueued", async () => {
    const { enqueue, ended, waits, ran, client } = await scene();
    await enqueue(1, "1d");
    await waits("v1");
    await server.kill();
    await server.restart();
    await server.calm();
    expect(await enqueue(2)).toMatchObject({ conflict: { kind: "replaced", id: "v1" } });
    expect(await ended("v2")).toMatchObject({ state: "succeeded" });
    expect(await ended("v1")).toMatchObject(isReplaced);
    expect(await client.broker.delayed.count(QUEUE)).toBe(0);
    expect(ran).toEqual([2]);
  });

  it("ends with its successor's start, though the server is killed in between", async () => {
    const { enqueue, ended, waits, heard, ran, client } = await scene();
    await enqueue(1, "1d");
    await waits("v1");
    await client.queues.pause(QUEUE);
    await heard();
    expect(await enqueue(2)).toMatchObject({ conflict: { kind: "replaced", id: "v1" } });
    await server.kill();
    await server.restart();
    await server.calm();
    await client.queues.resume(QUEUE);
    expect(await ended("v2")).toMatchObject({ state: "succeeded" });
    expect(await ended("v1")).toMatchObject(isReplaced);
    expect(await client.broker.delayed.count(QUEUE)).toBe(0);
    expect(ran).toEqual([2]);
  });
});
