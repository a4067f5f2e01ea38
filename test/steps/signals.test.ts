import type { Schema } from "@millrace/core";
import { connect, createNode, defineJob, defineSignal } from "millrace";
import { expect, it, vi } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(240_000) });

const byName: Schema<{ by: string }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      typeof (value as { by?: unknown }).by === "string"
        ? { value: value as { by: string } }
        : { issues: [{ message: "is no text", path: ["by"] }] },
  },
};
const approval = defineSignal("approval", byName);
const order = defineJob<{ item: string }>({ name: "order", queue: "orders", steps: true });

describeEachServer("a job that waits for a signal", (server) => {
  it("is woken by millrace.signal() and by a bare client, and leaves nothing behind", async () => {
    const namespace = server.namespace();
    const millrace = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => millrace.close());
    const node = await createNode({
      servers: server.url,
      namespace,
      env: {},
      jobs: [
        order.handler(async ({ step }) => {
          const answer = await step.waitFor(approval, { timeout: "7d" });
          const more = await step.waitFor("more");
          return { answer, more };
        }),
      ],
    });
    await node.start();
    cleanUpLater(() => node.stop());

    const handle = await millrace.enqueue(order, { item: "a" }, { id: "o-1" });
    const waiting = async (name: string): Promise<unknown> =>
      eventually(
        async () => {
          const { state, steps } = await handle.status();
          const last = steps?.at(-1);
          return state === "delayed" && last?.name === name && last.state === "waiting";
        },
        { withinMs: 60_000, describe: `the job waits for ${name}` },
      );
    await waiting("approval");
    // @ts-expect-error -- the signal has another value
    await expect(millrace.signal(order, "o-1", approval, { by: 7 })).rejects.toMatchObject({
      code: "invalid-payload",
    });
    await millrace.signal(order, "o-1", approval, { by: "ada" }, { id: "mail-31" });
    await millrace.signal("orders", "o-1", "approval", { by: "ada" }, { id: "mail-31" });
    await waiting("more");

    const { nc, jsm } = await administrator(server);
    // What `nats request` sends, or any client: JSON, without a header.
    const ack = await nc.request(`${namespace}.signal.orders.o-1.more`, '"from outside"', {
      timeout: 60_000,
    });
    expect(ack.json()).toMatchObject({ stream: `${namespace}-signals` });
    expect(await handle.result({ timeout: "2m" })).toEqual({
      answer: { by: "ada" },
      more: "from outside",
    });
    await expect(millrace.signal(order, "o-1", "more", 1)).rejects.toMatchObject({
      code: "job-ended",
    });
    await eventually(
      async () => {
        const streams = [`${namespace}-journal`, `${namespace}-signals`];
        const infos = await Promise.all(streams.map((stream) => jsm.streams.info(stream)));
        return infos.every(({ state }) => state.messages === 0);
      },
      { withinMs: 60_000, describe: "neither a step nor a signal is left" },
    );
  });
});
