import { join } from "node:path";
import { connect, createNode, planJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { startChild } from "../harness/child.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { double, member, report } from "./jobs.ts";

vi.setConfig({ testTimeout: patient(180_000) });

const MEMBERS = 400;
const KILLS = 3;

describeEachServer("batches and chains while nodes are killed", (server) => {
  async function scene() {
    const namespace = server.namespace();
    const reports: unknown[] = [];
    const reporter = await createNode({
      servers: server.url,
      namespace,
      env: {},
      jobs: [
        report.handler(({ input }) => {
          reports.push(input);
          return "reported";
        }),
      ],
    });
    onTestFinished(() => reporter.stop());
    await reporter.start();
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    let born = 0;
    const node = async () => {
      const child = startChild(join(import.meta.dirname, "node-program.ts"), {
        args: [server.url, namespace, `n${(born += 1)}`],
      });
      await child.line(/^ready$/, 90_000);
      return child;
    };
    return { client, reports, node };
  }

  test("one callback, with how every job ended", async () => {
    const { client, reports, node } = await scene();
    let victim = await node();
    await node();
    const batch = await client.batch(
      Array.from({ length: MEMBERS }, (_, n) => planJob(member, { n }, { id: `m${n}` })),
      { callback: { job: report, input: "tuesday" } },
    );
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const goal = MEMBERS - (MEMBERS / (KILLS + 2)) * kill;
      await eventually(async () => (await batch.left()) <= goal, {
        withinMs: 30_000,
        describe: `no more than ${goal} jobs are left`,
      });
      await victim.kill();
      victim = await node();
    }
    expect(await within(batch.result(), 30_000, "the callback has run")).toBe("reported");
    expect(reports).toMatchObject([
      {
        input: "tuesday",
        batch: {
          total: MEMBERS,
          succeeded: MEMBERS * 0.9,
          dead: MEMBERS * 0.1,
          cancelled: 0,
          refused: 0,
        },
      },
    ]);
    expect((await client.broker.history.read(batch.callback)).map(({ state }) => state)).toEqual([
      "succeeded",
    ]);
  });

  test("every chain comes to its end, each job of it once", async () => {
    const { client, node } = await scene();
    const victim = await node();
    await node();
    const chains = await Promise.all(
      Array.from({ length: 30 }, (_, n) => {
        let chain = client.chain(double, n, { id: `c${n}` });
        for (let link = 2; link <= 6; link += 1) chain = chain.next(double);
        return chain.enqueue();
      }),
    );
    await chains[5]?.result();
    await victim.kill();
    const results = await within(
      Promise.all(chains.map((chain) => chain.result())),
      60_000,
      "every chain has ended",
    );
    expect(results).toEqual(chains.map((_, n) => n * 2 ** 6));
    for (const { jobs } of chains)
      for (const job of jobs)
        expect(
          (await job.status()).history.filter(({ state }) => state === "succeeded"),
        ).toHaveLength(1);
  });
});
