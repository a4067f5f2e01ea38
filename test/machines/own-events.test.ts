import { connect, createNode, defineMachine, machineAddress } from "millrace";
import { expect, it, vi } from "vitest";
import { assign, sendTo, setup } from "xstate";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(180_000) });

/** As many as may wait, the start among them. */
const WAITING = 1_000;
/** Those that are answered. The others say nothing to the chart. */
const PINGS = 50;

type Event = { type: "PING" } | { type: "REST" } | { type: "PONG"; n: number };

interface Context {
  readonly id: string;
  readonly pings: number;
  readonly pongs: number;
  readonly inOrder: boolean;
}

const chart = setup({
  types: {
    context: {} as Context,
    input: {} as { id: string },
    events: {} as Event,
  },
  actions: {
    pong: sendTo(
      ({ context }) => machineAddress("echo", context.id),
      ({ context }) => ({ type: "PONG", n: context.pings }),
    ),
  },
}).createMachine({
  context: ({ input }) => ({ id: input.id, pings: 0, pongs: 0, inOrder: true }),
  initial: "busy",
  states: {
    busy: {
      // With the start in hand there is no room.
      entry: "pong",
      always: { guard: ({ context }) => context.pongs === PINGS + 1, target: "done" },
      on: {
        PING: {
          actions: [assign({ pings: ({ context }) => context.pings + 1 }), "pong"],
        },
        PONG: {
          actions: assign({
            pongs: ({ context }) => context.pongs + 1,
            inOrder: ({ context, event }) => context.inOrder && event.n === context.pongs,
          }),
        },
      },
    },
    done: { type: "final" },
  },
});
const echo = defineMachine({ name: "echo", machine: chart, sendsTo: ["echo"] });

describeEachServer("a machine that sends to itself", (server) => {
  it("goes on where as many events wait for it as may", async () => {
    const namespace = server.namespace();
    const connection = { servers: server.url, namespace, env: {} };
    const millrace = await connect(connection);
    cleanUpLater(() => millrace.close());
    const machine = millrace.machine(echo, "e-1");
    await machine.start({ id: "e-1" });
    for (let n = 1; n < WAITING; n += 1) await machine.send({ type: n <= PINGS ? "PING" : "REST" });
    await expect(machine.send({ type: "PING" })).rejects.toMatchObject({ code: "queue-full" });
    const node = await createNode({ ...connection, jobs: [], machines: [echo] });
    await node.start();
    cleanUpLater(() => node.stop());
    const ended = await machine.waitFor(({ status }) => status !== "active", { timeout: "90s" });
    expect(ended).toMatchObject({
      ...{ status: "done", context: { pings: PINGS, pongs: PINGS + 1, inOrder: true } },
    });
    expect(ended.trouble).toBeUndefined();
  });
});
