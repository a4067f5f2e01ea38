import { connect, createNode, defineJob, type Steps, type StepsOptions } from "millrace";
import { expect, it, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(240_000) });

describeEachServer("two versions of a job's steps side by side", (server) => {
  it("each run ends by the version that began it", async () => {
    const namespace = server.namespace();
    const millrace = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => millrace.close());
    const did: string[] = [];
    const define = (steps: StepsOptions) => defineJob({ name: "order", queue: "orders", steps });
    const deploy = async (own: StepsOptions, order: (step: Steps) => Promise<string>) => {
      const node = await createNode({
        servers: server.url,
        namespace,
        env: {},
        jobs: [define(own).handler(({ step }) => order(step))],
      });
      await node.start();
      cleanUpLater(() => node.stop());
      return node;
    };
    const byVersion = (name: string) => async (step: Steps) => {
      await step.run(`charge ${name}`, () => void did.push(`charge ${name}`));
      await step.waitFor("paid");
      return name;
    };
    const waits = async (job: {
      status(): Promise<{ state: string; steps?: readonly object[] }>;
    }) =>
      eventually(
        async () => {
          const { state, steps } = await job.status();
          return state === "delayed" && steps?.length === 2;
        },
        { withinMs: 60_000, describe: "the run waits for its signal" },
      );

    const old = await deploy({ version: 1 }, byVersion("one"));
    const first = await millrace.enqueue(define({}), undefined, { id: "o-1" });
    await waits(first);
    await old.stop();
    const leaving: StepsOptions = { version: 2, olderRuns: "leave" };
    const newer = await deploy(leaving, byVersion("two"));
    const left = Promise.withResolvers<void>();
    newer.events.on("job.settled", ({ id, outcome }) => {
      if (id === "o-1" && outcome === "snoozed") left.resolve();
    });
    const second = await millrace.enqueue(define(leaving), undefined, { id: "o-2" });
    await waits(second);
    await millrace.signal(define({}), "o-1", "paid", true);
    await within(left.promise, 60_000, "the newer node has left the older run");
    await deploy({ version: 1 }, byVersion("one"));
    await millrace.signal(define({}), "o-2", "paid", true);
    expect(await first.result({ timeout: "2m" })).toBe("one");
    expect(await second.result({ timeout: "2m" })).toBe("two");
    expect(did).toEqual(["charge one", "charge two"]);
  });
});
