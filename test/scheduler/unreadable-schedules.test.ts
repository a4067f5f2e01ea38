import { jetstream } from "@nats-io/jetstream";
import { connect, createNode, defineJob, defineSchedule } from "millrace";
import { expect, test, vi } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(60_000) });

const job = defineJob<null>({ name: "report", queue: "reports" });
const every = defineSchedule({ name: "often", cron: "* * * * * *", job, input: null });

async function scene(server: TestServer) {
  const namespace = server.namespace();
  const connection = { servers: server.url, namespace, env: {} };
  const millrace = await connect(connection);
  cleanUpLater(() => millrace.close());
  const { nc } = await administrator(server);
  const rubbish = async (bucket: string, key: string): Promise<void> => {
    // The bucket is there from its first use on.
    await (await millrace.broker.documents(bucket)).list();
    await jetstream(nc).publish(`$KV.${namespace}-${bucket}.${key}`, "{ no JSON");
  };
  const started = async (): Promise<void> => {
    const jobs = [job.handler(() => "done")];
    const node = await createNode({ ...connection, jobs, schedules: [every] });
    cleanUpLater(() => node.stop());
    await within(node.start(), patient(20_000), "the node has started");
  };
  const fires = (): Promise<unknown> =>
    eventually(async () => (await millrace.cron.list()).find(({ state }) => state.fired > 0), {
      withinMs: 20_000,
      describe: "the schedule has fired",
    });
  return { millrace, rubbish, started, fires };
}

describeEachServer("a schedule that is stored as no JSON", (server) => {
  test("is replaced by a node that has it in its code, and keeps no node from its start", async () => {
    const { rubbish, started, fires } = await scene(server);
    await rubbish("schedules", "often");
    await started();
    await fires();
  });

  test("is replaced by a client, and removed", async () => {
    const { millrace, rubbish } = await scene(server);
    await rubbish("schedules", "often");
    await rubbish("schedules", "other");
    await within(millrace.cron.add(every), patient(20_000), "the schedule is added");
    expect((await millrace.cron.list()).map(({ name }) => name)).toEqual(["often"]);
    await millrace.cron.remove("other");
    await expect(millrace.cron.remove("other")).rejects.toMatchObject({
      code: "schedule-not-found",
    });
  });

  test("has a state that is none: it fires, and can be paused", async () => {
    const { millrace, rubbish, started, fires } = await scene(server);
    await millrace.cron.add(every);
    await rubbish("schedule-state", "often");
    await within(millrace.cron.pause("often"), patient(20_000), "the schedule is paused");
    await rubbish("schedule-state", "often");
    await started();
    await fires();
  });
});
