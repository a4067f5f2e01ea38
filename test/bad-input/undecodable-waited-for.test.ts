import { type BatchEnded, connect, createNode, defineJob, planJob, StepError } from "millrace";
import { expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

/** More than one of the nodes takes, whatever the runtime adds. */
const MANY = Array.from({ length: 20_000 }, () => 1);
const LEAST = 1_000;

const work = defineJob<number[]>({
  ...{ name: "t.work", queue: "work" },
  retry: { attempts: 5, backoff: "fixed", base: "5s", jitter: false },
});
const asks = defineJob<null, null, string>({ name: "t.asks", queue: "asks", steps: true });
const report = defineJob<BatchEnded<null>>({ name: "t.report", queue: "reports" });

async function open(server: TestServer) {
  const options = { servers: server.url, namespace: server.namespace(), env: {} };
  const client = await connect(options);
  cleanUpLater(() => client.close());
  // Before anybody calls into it: its nodes come later.
  await client.queues.ensure("work");
  const reports: unknown[] = [];
  const other = await createNode({
    ...options,
    jobs: [
      asks.handler(async ({ step }) => {
        try {
          await step.call(work, MANY);
          return "it has succeeded";
        } catch (error) {
          return StepError.is(error) ? error.type : String(error);
        }
      }),
      report.handler(({ input }) => void reports.push(input.batch)),
    ],
  });
  cleanUpLater(() => other.stop());
  await other.start();
  /** Lets a node that takes them fail the job once, which is then published again. */
  const failOnce = async (): Promise<void> => {
    const ran = Promise.withResolvers<void>();
    const handler = work.handler(() => {
      ran.resolve();
      throw new Error("not yet");
    });
    const node = await createNode({ ...options, jobs: [handler] });
    cleanUpLater(() => node.stop());
    await node.start();
    await within(ran.promise, 60_000, "the job has run");
    await node.stop();
  };
  const takesFew = async (): Promise<void> => {
    const node = await createNode({ ...options, maxValues: LEAST, jobs: [work.handler(() => {})] });
    cleanUpLater(() => node.stop());
    await node.start();
  };
  return { client, reports, failOnce, takesFew };
}

describeEachServer("a job that somebody waits for and its node can't decode", (server) => {
  it.each(["at first", "when it is published again"])(
    "tells the step that calls it, %s",
    async (when) => {
      const { client, failOnce, takesFew } = await open(server);
      const caller = await client.enqueue(asks, null);
      if (when !== "at first") await failOnce();
      await takesFew();
      expect(await caller.result({ timeout: "60s" })).toBe("undecodable");
    },
  );

  it("leaves its batch and has an end on record when it is published again", async () => {
    const { client, reports, failOnce, takesFew } = await open(server);
    const job = planJob(work, MANY, { id: "torn" });
    await client.batch([job], { id: "b", callback: { job: report, input: null } });
    await failOnce();
    await takesFew();
    await eventually(() => reports.length > 0, { withinMs: 60_000, describe: "the batch is over" });
    expect(reports).toMatchObject([{ total: 1, dead: 1 }]);
    expect(await client.job("torn")).toMatchObject({ state: "dead" });
    const letters = await client.broker.deadLetters.list();
    expect(letters).toMatchObject([{ id: "torn", queue: "work", reason: "undecodable" }]);
  });

  it("tells who has enqueued it when it is published again, and how often it ran", async () => {
    const { client, failOnce, takesFew } = await open(server);
    const handle = await client.enqueue(work, MANY);
    const before = expect(handle.result({ timeout: "60s" })).rejects;
    await failOnce();
    await takesFew();
    const told = { code: "undecodable", message: expect.stringContaining("dead") as unknown };
    await before.toMatchObject(told);
    await expect(handle.result({ timeout: "60s" })).rejects.toMatchObject(told);
    expect(await client.broker.deadLetters.list()).toMatchObject([
      { id: handle.id, reason: "undecodable", attempts: 1 },
    ]);
  });
});
