import { connect, createNode, defineJob } from "millrace";
import { expect, it, vi } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(240_000) });

describeEachServer("a job with steps", (server) => {
  it("sleeps with its steps on record, shows them, and leaves nothing behind", async () => {
    const namespace = server.namespace();
    const millrace = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => millrace.close());
    const did: string[] = [];
    const define = defineJob<{ until: number }>({ name: "signup", queue: "signups", steps: true });
    const node = await createNode({
      servers: server.url,
      namespace,
      env: {},
      jobs: [
        define.handler(async ({ input, step }) => {
          const user = await step.run("create account", () => {
            did.push("create");
            return { id: 7, since: new Date(0) };
          });
          await step.sleepUntil("let it settle", input.until);
          await step.run("mail", () => void did.push("mail"));
          return user;
        }),
      ],
    });
    await node.start();
    cleanUpLater(() => node.stop());

    const far = await millrace.enqueue(define, { until: Date.now() + 3_600_000 }, { id: "far" });
    const asleep = await eventually(
      async () => {
        const status = await far.status();
        return status.state === "delayed" && status.steps?.length === 2 ? status : undefined;
      },
      { withinMs: 60_000, describe: "the job sleeps" },
    );
    expect(asleep).toMatchObject({
      attempts: 0,
      steps: [
        { name: "create account", state: "done", result: { id: 7, since: new Date(0) } },
        { name: "let it settle", state: "sleeping" },
      ],
    });
    await far.cancel("not wanted");

    const soon = await millrace.enqueue(define, { until: Date.now() + 500 }, { id: "soon" });
    expect(await soon.result({ timeout: "2m" })).toEqual({ id: 7, since: new Date(0) });
    await eventually(async () => (await far.status()).state === "cancelled", {
      withinMs: 60_000,
      describe: "the sleeping job is cancelled",
    });
    expect(did).toEqual(["create", "create", "mail"]);
    expect((await soon.status()).steps).toBeUndefined();
    const { jsm } = await administrator(server);
    await eventually(
      async () => (await jsm.streams.info(`${namespace}-journal`)).state.messages === 0,
      { withinMs: 60_000, describe: "no step is left on record" },
    );
  });
});
