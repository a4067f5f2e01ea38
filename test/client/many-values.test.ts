import { type BatchEnded, connect, createNode, defineJob, planJob } from "millrace";
import { expect, it, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(120_000) });

interface Input {
  n: number;
  list: number[];
}
const order = defineJob<Input>({ name: "order", queue: "orders" });
const closed = defineJob<BatchEnded<Input>>({ name: "closed", queue: "orders" });

describeServer("a payload of more values than are taken by default", "newest", (server) => {
  it("is taken as it is at the call, too", async () => {
    const namespace = server.namespace();
    const connection = { servers: server.url, namespace, env: {}, maxValues: 500_000 };
    const millrace = await connect(connection);
    cleanUpLater(() => millrace.close());
    const given: number[] = [];
    const jobs = [
      order.handler(({ input }) => void given.push(input.n)),
      closed.handler(({ input: { input: of } }) => void given.push(of.n)),
    ];
    const node = await createNode({ ...connection, jobs });
    cleanUpLater(() => node.stop());
    await node.start();
    const input = { n: 1, list: Array.from({ length: 150_000 }, () => 1) };
    const calls: Promise<unknown>[] = [];
    calls.push(millrace.enqueue(order, input));
    input.n = 2;
    calls.push(millrace.enqueueMany(order, [{ input }], { atomic: true }));
    input.n = 3;
    calls.push(millrace.chain(order, input).enqueue());
    // A batch reads it later.
    const callback = { job: closed, input: { ...input, n: 4 } };
    calls.push(millrace.batch([planJob(order, { n: 5, list: [] })], { callback }));
    input.n = 99;
    await Promise.all(calls);
    await eventually(() => given.length === 5, {
      ...{ withinMs: patient(60_000), describe: "all have run" },
    });
    expect(given.toSorted()).toEqual([1, 2, 3, 4, 5]);
  });
});
