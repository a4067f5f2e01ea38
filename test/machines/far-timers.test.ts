import { connect, createNode, defineMachine } from "millrace";
import { expect, it, vi } from "vitest";
import { setup } from "xstate";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(60_000) });

const withDelay = (delay: number) =>
  defineMachine({
    name: "far",
    machine: setup({
      types: { events: {} as { type: "GO" } | { type: "LEAVE" } },
      delays: { never: delay },
    }).createMachine({
      initial: "idle",
      states: {
        idle: { on: { GO: "waiting", LEAVE: "gone" } },
        waiting: { after: { never: "late" }, on: { LEAVE: "gone" } },
        late: {},
        gone: {},
      },
    }),
  });

async function hosted(server: TestServer, delay: number) {
  const connection = { servers: server.url, namespace: server.namespace(), env: {} };
  const millrace = await connect(connection);
  cleanUpLater(() => millrace.close());
  const machine = withDelay(delay);
  const node = await createNode({ ...connection, jobs: [], machines: [machine] });
  await node.start();
  cleanUpLater(() => node.stop());
  const one = millrace.machine(machine, "f-1");
  await one.start();
  await one.send({ type: "GO" });
  return { millrace, one };
}

describeEachServer("a timer that is further ahead than a date can be", (server) => {
  it.each([Number.MAX_SAFE_INTEGER, 1e15, 1e13, Number.MAX_VALUE])(
    "of %s ms keeps nothing waiting, and does not fire",
    async (delay) => {
      const { millrace, one } = await hosted(server, delay);
      const waiting = await one.waitFor(({ value }) => value === "waiting", { timeout: "15s" });
      expect(waiting.trouble).toBeUndefined();
      await one.send({ type: "LEAVE" });
      await one.waitFor(({ value }) => value === "gone", { timeout: "15s" });
      const documents = await millrace.broker.documents("machines");
      // The start and the two events: no tick has come in between.
      expect((await documents.get("far.f-1"))?.value).toMatchObject({ rev: 3 });
    },
  );

  it.each([Number.POSITIVE_INFINITY, Number.NaN])(
    "of %s ms makes the event fail that sets it, and the next one is taken",
    async (delay) => {
      const { one } = await hosted(server, delay);
      await one.send({ type: "LEAVE" });
      const gone = await one.waitFor(({ value }) => value === "gone", { timeout: "15s" });
      expect(gone.trouble).toMatchObject({ event: "GO", error: { type: "machine-unsupported" } });
    },
  );
});
