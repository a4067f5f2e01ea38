import { connect, createNode, defineMachine } from "millrace";
import { expect, it, vi } from "vitest";
import { assign, fromPromise, raise, setup } from "xstate";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { patient } from "../harness/cluster/mode.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(240_000) });

const told: string[] = [];

const chart = setup({
  types: {
    context: {} as { id: string; list: readonly number[]; sum: number; beats: number },
    input: {} as { id: string },
    events: {} as
      { type: "ADD"; n: number } | { type: "SUM" } | { type: "BEAT" } | { type: "BOOM" },
  },
  actors: {
    add: fromPromise<number, { list: readonly number[] }>(async ({ input }) =>
      input.list.reduce((sum, n) => sum + n, 0),
    ),
  },
  actions: { tell: ({ context }) => void told.push(context.id) },
  guards: {
    boom: () => {
      throw new Error("the guard is broken");
    },
  },
}).createMachine({
  context: ({ input }) => ({ id: input.id, list: [], sum: 0, beats: 0 }),
  initial: "open",
  states: {
    open: {
      on: {
        ADD: { actions: assign({ list: ({ context, event }) => [...context.list, event.n] }) },
        BOOM: { guard: "boom", target: "summed" },
        SUM: "summing",
      },
    },
    summing: {
      invoke: {
        src: "add",
        input: ({ context }) => ({ list: context.list }),
        onDone: { target: "beating", actions: assign({ sum: ({ event }) => event.output }) },
      },
    },
    beating: {
      entry: raise({ type: "BEAT" }, { delay: 400 }),
      on: {
        BEAT: [
          {
            guard: ({ context }) => context.beats < 2,
            target: "beating",
            reenter: true,
            actions: assign({ beats: ({ context }) => context.beats + 1 }),
          },
          { target: "waiting" },
        ],
      },
    },
    waiting: { after: { 2_500: { target: "summed", actions: "tell" } } },
    summed: { type: "final" },
  },
});
const sums = defineMachine({ name: "sums", machine: chart, promises: { queue: "sums" } });

async function scene(server: TestServer) {
  const namespace = server.namespace();
  const connection = { servers: server.url, namespace, env: {} };
  const millrace = await connect(connection);
  cleanUpLater(() => millrace.close());
  const host = async () => {
    const node = await createNode({ ...connection, jobs: [], machines: [sums] });
    await node.start();
    cleanUpLater(() => node.stop());
    return node;
  };
  return { namespace, millrace, host };
}

describeEachServer("a durable machine", (server) => {
  it("takes events of two hosts in their order, runs its promise, and its timers", async () => {
    const { namespace, millrace, host } = await scene(server);
    await Promise.all([host(), host()]);
    const { nc } = await administrator(server);
    const ids = ["a", "b:1", "c"];
    await Promise.all(
      ids.map(async (id) => {
        const machine = millrace.machine(sums, id);
        await machine.start({ id });
        for (let n = 0; n < 60; n += 1) await machine.send({ type: "ADD", n });
        // What `nats request` sends, or any client: JSON, without a header.
        const ack = await nc.request(`${namespace}.inbox.sums.${id}`, '{"type":"ADD","n":1000}');
        expect(ack.json()).toMatchObject({ stream: `${namespace}-inbox` });
        await nc.request(`${namespace}.inbox.sums.${id}`, "no JSON");
        await nc.request(`${namespace}.inbox.sums.${id}`, '{"type":"xstate.stop"}');
        await machine.send({ type: "BOOM" });
        await machine.send({ type: "SUM" }, { id: "sum" });
        await machine.send({ type: "SUM" }, { id: "sum" });
      }),
    );
    const list = [...Array.from({ length: 60 }, (_, n) => n), 1_000];
    for (const id of ids) {
      const ended = await millrace
        .machine(sums, id)
        .waitFor(({ status }) => status !== "active", { timeout: "2m" });
      expect(ended).toMatchObject({
        ...{ status: "done", value: "summed", timers: [], jobs: {} },
        context: { list, sum: 59 * 30 + 1_000, beats: 2 },
        trouble: { event: "BOOM" },
      });
    }
    // What follows from a transition is done once that is stored, and seen; by two hosts where the
    // other meets it before it is seen to be done.
    const toldOfAll = async () => ids.every((id) => told.includes(id));
    await eventually(toldOfAll, { withinMs: 60_000, describe: "each machine has told of its end" });
    told.length = 0;
  });

  it("keeps its timers while nobody hosts it", async () => {
    const { millrace, host } = await scene(server);
    const first = await host();
    const machine = millrace.machine(sums, "alone");
    await machine.start({ id: "alone" });
    await machine.send({ type: "SUM" });
    await machine.waitFor((one) => one.matches("waiting"), { timeout: "1m" });
    await first.stop();
    await host();
    const ended = await machine.waitFor(({ status }) => status === "done", { timeout: "1m" });
    const [waiting, summed] = ended.trail.slice(-2);
    expect((summed?.at ?? 0) - (waiting?.at ?? 0)).toBeGreaterThanOrEqual(2_500);
  });
});
