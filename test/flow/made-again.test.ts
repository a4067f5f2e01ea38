import { type BatchEnded, defineJob, planJob } from "@millrace/core";
import { connect } from "millrace";
import { expect, it, onTestFinished } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { pauseHeard } from "../harness/pulls.ts";
import { describeEachServer } from "../harness/servers.ts";

const page = defineJob<{ n: number }>({ name: "page", queue: "pages", retry: "none" });
const report = defineJob<BatchEnded<null>>({ name: "report", queue: "reports" });
const WINDOW_MS = 1_000;

describeEachServer("a batch of ids that others have or had", (server) => {
  async function scene() {
    const namespace = server.namespace();
    const connection = { servers: server.url, namespace };
    const client = await connect({ ...connection, env: {} });
    onTestFinished(() => client.close());
    await client.queues.ensure("pages", { dedupeWindowMs: WINDOW_MS });
    await client.queues.ensure("reports");
    const ran: number[] = [];
    const reports: BatchEnded["batch"][] = [];
    await startNodeOnServer(server, {
      namespace,
      jobs: [
        page.handler(({ input }) => void ran.push(input.n)),
        report.handler(({ input }) => void reports.push(input.batch)),
      ],
    });
    const make = (id: string) =>
      client.batch(
        [0, 1].map((n) => planJob(page, { n }, { id: `p${n}` })),
        { id, callback: { job: report, input: null } },
      );
    return { client, connection, ran, reports, make };
  }

  it("made again while its jobs wait, takes no earlier job's end for one of theirs", async () => {
    const { client, connection, ran, reports, make } = await scene();
    await (await make("monday")).result({ timeout: "30s" });
    await pauseHeard(client, connection, "pages");
    const mark = () => client.enqueue(page, { n: 2 }, { id: "mark", once: false });
    await mark();
    await eventually(async () => !(await mark()).duplicate, {
      ...{ withinMs: 30_000, describe: "the queue has forgotten the ids" },
    });
    await make("tuesday");
    const again = await make("tuesday");
    expect([again.refused, await again.left()]).toEqual([[], 2]);
    await client.queues.resume("pages");
    await again.result({ timeout: "30s" });
    expect(ran.filter((n) => n < 2).toSorted()).toEqual([0, 0, 1, 1]);
    expect(reports).toMatchObject([
      { id: "monday", succeeded: 2 },
      { id: "tuesday", succeeded: 2 },
    ]);
  });

  it("is refused those of another that wait, and calls back", async () => {
    const { client, connection, ran, make } = await scene();
    await pauseHeard(client, connection, "pages");
    await client.queues.ensure("pages", { dedupeWindowMs: 60_000 });
    const one = await make("one");
    const { refused, result } = await make("two");
    expect(refused).toMatchObject([{ error: { code: "id-taken" } }, {}]);
    await result({ timeout: "30s" });
    await client.queues.resume("pages");
    await one.result({ timeout: "30s" });
    expect(ran.toSorted()).toEqual([0, 1]);
  });
});
