import { connect, createNode, defineJob } from "millrace";
import { expect, it, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(120_000) });

const payroll = defineJob<{ people: string[] }>({ name: "payroll", queue: "pays", steps: true });

describeEachServer("a handler that takes its work off its input", (server) => {
  it("is given the same input in each run, so that no step takes another's result", async () => {
    const where = { servers: server.url, namespace: server.namespace(), env: {} };
    const millrace = await connect(where);
    cleanUpLater(() => millrace.close());
    const paid: string[] = [];
    const handler = payroll.handler(async ({ input, step }) => {
      const receipts: string[] = [];
      for (let person = input.people.shift(); person !== undefined; person = input.people.shift()) {
        const who = person;
        const pay = (): string => {
          paid.push(who);
          return `receipt of ${who}`;
        };
        receipts.push(await step.run("pay", pay));
        await step.sleep("a moment", "500ms");
      }
      return receipts;
    });
    const node = await createNode({ ...where, jobs: [handler] });
    await node.start();
    cleanUpLater(() => node.stop());

    const job = await millrace.enqueue(payroll, { people: ["ada", "bob"] });
    expect(await job.result({ timeout: "1m" })).toEqual(["receipt of ada", "receipt of bob"]);
    expect(paid).toEqual(["ada", "bob"]);
  });
});
