import { connect, defineJob, runNode } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { readMetrics } from "./exposition.ts";

vi.setConfig({ testTimeout: patient(120_000) });

const price = defineJob<number, number, number>({ name: "price", queue: "prices" });
const order = defineJob({ name: "order", queue: "orders", steps: true });

describeEachServer("metrics of steps", (server) => {
  test("tell what was recorded, what was replayed, and which waits began and ended how", async () => {
    await server.calm();
    const options = { servers: server.url, namespace: server.namespace(), env: {} };
    const node = await runNode({
      ...options,
      healthHost: "127.0.0.1",
      healthPort: 0,
      jobs: [
        price.handler(({ input }) => input * 3),
        order.handler(async ({ step }) => {
          const amount = await step.run("count", () => 7);
          await step.waitFor("go", { timeout: "1h" });
          await step.waitFor("never", { timeout: 100 });
          return step.call(price, amount);
        }),
      ],
    });
    onTestFinished(() => node.stop({ immediate: true }));
    const millrace = await connect(options);
    onTestFinished(() => millrace.close());
    const read = () => readMetrics(node);
    const handle = await millrace.enqueue(order, null);
    await eventually(async () => (await handle.status()).state === "delayed", {
      withinMs: 60_000,
      describe: "the job waits",
    });
    const labels = { queue: "orders", job_name: "order" };
    const before = await read();
    expect(before.value("millrace_steps_recorded_total", labels)).toBe(2);
    expect(before.value("millrace_step_waits_begun_total", labels)).toBe(1);
    expect(before.value("millrace_step_waits_ended_total", labels)).toBeUndefined();

    await millrace.signal(order, handle.id, "go");
    expect(await handle.result({ timeout: "2m" })).toBe(21);
    const after = await read();
    expect(after.value("millrace_steps_recorded_total", labels)).toBe(4);
    // The attempts after the signal and after the call met what was recorded before them.
    expect(after.value("millrace_steps_replayed_total", labels)).toBeGreaterThanOrEqual(2 + 4);
    expect(after.value("millrace_step_waits_begun_total", labels)).toBe(3);
    for (const outcome of ["signalled", "timed-out", "called"])
      expect(after.value("millrace_step_waits_ended_total", { ...labels, outcome })).toBe(1);
    expect(after.value("millrace_steps_recorded_total", { job_name: "price" })).toBeUndefined();
  });
});
