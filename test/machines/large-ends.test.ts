import { connect, createNode, defineJob, defineMachine } from "millrace";
import { expect, it, vi } from "vitest";
import { type PromiseActorLogic, setup } from "xstate";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(120_000) });

const QUEUE = "pays";
/** Of one byte in the history, and of six in JSON. */
const CONTROLS = "\u0001".repeat(30_000);

const chart = setup({ actors: { charge: {} as PromiseActorLogic<string, null> } }).createMachine({
  initial: "paying",
  states: {
    paying: { invoke: { src: "charge", input: null, onDone: "paid", onError: "unsure" } },
    paid: { type: "final" },
    unsure: { type: "final" },
  },
});

describeServer(
  "the end of a machine's job that is larger than a message",
  "newest",
  (server) => {
    it("is told without the result, and keeps no place in its queue", async () => {
      const connection = { servers: server.url, namespace: server.namespace(), env: {} };
      const millrace = await connect(connection);
      cleanUpLater(() => millrace.close());
      const charge = defineJob<null, null, string>({ name: "charge", queue: QUEUE });
      const machines = [defineMachine({ name: "m", machine: chart, jobs: { charge } })];
      const jobs = [charge.handler(() => Promise.resolve(CONTROLS))];
      const node = await createNode({ ...connection, jobs, machines });
      cleanUpLater(() => node.stop());
      await node.start();
      const machine = millrace.machine("m", "1");
      await machine.start();
      const { value } = await machine.waitFor(({ status }) => status !== "active", {
        timeout: patient(60_000),
      });
      expect(value).toBe("unsure");
      await eventually(
        async () => {
          const { running, queued } = await millrace.queues.snapshot(QUEUE);
          return running === 0 && queued === 0;
        },
        { withinMs: patient(30_000), describe: "the job is acked" },
      );
    });
  },
  { config: "max_payload: 131072" },
);
