import { type BatchEnded, connect, defineJob, planJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { millraceHere } from "../cli/millrace.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: 120_000 });

const fetchPage = defineJob<string>({ name: "fetch", queue: "pages" });
const extract = defineJob<string>({ name: "extract", queue: "words" });
const report = defineJob<BatchEnded<null>>({ name: "report", queue: "words" });

describeEachServer("chains and batches", (server) => {
  test("jobs get shows a chain with the states of all its jobs, and a batch with its counts", async () => {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    const gate = Promise.withResolvers<void>();
    onTestFinished(() => gate.resolve());
    await startNodeOnServer(server, {
      namespace,
      jobs: [
        fetchPage.handler(({ input }) => input),
        extract.handler(async ({ input }) => {
          if (input === "held") await gate.promise;
          return input;
        }),
        report.handler(() => "reported"),
      ],
    });
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const shown = async (id: string) => {
      const text = await millraceHere(["jobs", "get", id], { env });
      const { json } = await millraceHere(["jobs", "get", id, "--json"], { env });
      return { text: text.out, json: json<object>() };
    };
    await client.chain(fetchPage, "held", { id: "p" }).next(extract).next(fetchPage).enqueue();
    await eventually(async () => (await client.job("p:2")).state === "running", {
      ...{ withinMs: 60_000, describe: "the second job runs" },
    });
    for (const id of ["p", "p:2"])
      expect((await shown(id)).json).toMatchObject({
        chain: [
          { id: "p", queue: "pages", name: "fetch", state: "succeeded" },
          { id: "p:2", queue: "words", name: "extract", state: "running" },
          { id: "p:3", queue: "pages", name: "fetch", state: "not begun" },
        ],
      });
    expect((await shown("p")).text).toContain(
      "p: succeeded → p:2 (queue words): running → p:3: not begun",
    );
    const jobs = [planJob(fetchPage, "x", { id: "x" }), planJob(extract, "held", { id: "y" })];
    await client.batch(jobs, { id: "b", callback: { job: report, input: null } });
    await eventually(async () => (await client.job("x")).state === "succeeded", {
      ...{ withinMs: 60_000, describe: "one of the batch has ended" },
    });
    await eventually(async () => (await client.batches.get("b"))?.left === 1, {
      ...{ withinMs: 60_000, describe: "the batch knows" },
    });
    expect((await shown("x")).text).toContain(
      "b: 1 of 2 ended (1 succeeded), then b:callback (queue words)",
    );
    gate.resolve();
    await client.handle("b:callback", "words").result({ timeout: 60_000 });
    for (const id of ["x", "b:callback"])
      expect((await shown(id)).json).toMatchObject({
        batchStatus: { id: "b", total: 2, left: 0, succeeded: 2, callback: { queue: "words" } },
      });
  });
});
