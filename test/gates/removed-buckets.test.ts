import { connect, createNode, defineJob, defineSchedule } from "millrace";
import { expect, test, vi } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(90_000) });

const QUEUE = "work";
const ENDED = { timeout: patient(30_000) };
const alone = defineJob<null>({ name: "alone", queue: QUEUE, singleton: true });
const rated = defineJob<null>({
  name: "rated",
  queue: QUEUE,
  rateLimit: { key: () => "k", limit: 100, per: "1s" },
});
const once = defineJob<null>({ name: "once", queue: QUEUE, unique: { key: () => "k" } });
const plain = defineJob<null>({ name: "plain", queue: QUEUE });
const every = defineSchedule({ name: "often", cron: "* * * * * *", job: plain, input: null });

async function scene(server: TestServer, schedules: readonly (typeof every)[] = []) {
  const namespace = server.namespace();
  const connection = { servers: server.url, namespace, env: {} };
  const millrace = await connect(connection);
  cleanUpLater(() => millrace.close());
  let ran = 0;
  const done = (): string => {
    ran += 1;
    return "done";
  };
  const jobs = [alone, rated, once, plain].map((job) => job.handler(done));
  const node = await createNode({ ...connection, jobs, schedules });
  cleanUpLater(() => node.stop());
  await node.start();
  const { jsm } = await administrator(server);
  const stream = (bucket: string) => `KV_${namespace}-${bucket}`;
  const remove = async (bucket: string): Promise<number> => {
    const { last_seq: last } = (await jsm.streams.info(stream(bucket))).state;
    await jsm.streams.delete(stream(bucket));
    return last;
  };
  const first = async (bucket: string) => (await jsm.streams.info(stream(bucket))).state.first_seq;
  const run = async (job: typeof plain) => (await millrace.enqueue(job, null)).result(ENDED);
  return { millrace, remove, first, run, ran: () => ran };
}

describeEachServer("a bucket that is removed under a running node", (server) => {
  test.each([
    ["locks", "singletons", alone],
    ["rates", "rates", rated],
    ["unique", "unique keys", once],
  ])("%s is made anew for %s, and counts on", async (bucket, _of, job) => {
    const { remove, first, run } = await scene(server);
    expect(await run(job)).toBe("done");
    const last = await remove(bucket);
    expect(await run(job)).toBe("done");
    // A token that is smaller than an earlier one would be refused by what the job writes to.
    expect(await first(bucket)).toBeGreaterThan(last);
  });

  test.each([["locks"], ["schedule-state"]])("%s is made anew for schedules", async (bucket) => {
    const { remove, ran } = await scene(server, [every]);
    const firesBeyond = (count: number) =>
      eventually(() => ran() > count, {
        withinMs: 30_000,
        describe: "the schedule has fired",
      });
    await firesBeyond(0);
    await remove(bucket);
    await firesBeyond(ran() + 2);
  });

  test("controls are made anew by who pauses a queue", async () => {
    const { millrace, remove, run } = await scene(server);
    await millrace.queues.pause(QUEUE);
    await remove("controls");
    await millrace.queues.pause(QUEUE);
    await millrace.queues.resume(QUEUE);
    expect(await run(plain)).toBe("done");
  });
});
