import { connect, createNode, defineMachine, machineAddress } from "millrace";
import { expect, it, vi } from "vitest";
import { assign, sendTo, setup } from "xstate";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(180_000) });

/** As many as may wait, the start among them. */
const WAITING = 1_000;
const SIDES = ["left", "right"] as const;

interface Context {
  readonly other: string;
  readonly kicks: number;
  readonly taps: number;
  readonly inOrder: boolean;
}

/** Taps the other side with each kick, so many times, and counts what comes from there. */
const sideOf = (name: string, times: number) => {
  const chart = setup({
    types: {
      context: {} as Context,
      input: {} as { other: string },
      events: {} as { type: "KICK" } | { type: "TAP"; n: number } | { type: "END" },
    },
    actions: {
      tap: sendTo(
        ({ context }) => machineAddress(context.other, "one"),
        ({ context }) => ({ type: "TAP", n: context.kicks }),
      ),
    },
  }).createMachine({
    context: ({ input }) => ({ other: input.other, kicks: 0, taps: 0, inOrder: true }),
    initial: "kicked",
    states: {
      kicked: {
        on: {
          KICK: {
            actions: [
              assign({ kicks: ({ context }) => context.kicks + 1 }),
              ...Array.from({ length: times }, () => "tap" as const),
            ],
          },
          TAP: {
            actions: assign({
              taps: ({ context }) => context.taps + 1,
              inOrder: ({ context, event }) =>
                context.inOrder && event.n === Math.floor(context.taps / times) + 1,
            }),
          },
          END: "ended",
        },
      },
      ended: { type: "final" },
    },
  });
  return defineMachine({ name, machine: chart, sendsTo: [...SIDES] });
};

/** Two machines whose inboxes are full of kicks, and then a host. */
async function kicked(server: TestServer, times: number) {
  const namespace = server.namespace();
  const connection = { servers: server.url, namespace, env: {} };
  const millrace = await connect(connection);
  cleanUpLater(() => millrace.close());
  const definitions = SIDES.map((name) => sideOf(name, times));
  const sides = definitions.map((definition) => millrace.machine(definition, "one"));
  await Promise.all(
    sides.map(async (side, at) => {
      await side.start({ other: SIDES[1 - at] ?? "" });
      for (let n = 1; n < WAITING; n += 1) await side.send({ type: "KICK" });
      await expect(side.send({ type: "KICK" })).rejects.toMatchObject({ code: "queue-full" });
    }),
  );
  const node = await createNode({ ...connection, jobs: [], machines: definitions });
  await node.start();
  cleanUpLater(() => node.stop());
  return sides;
}

describeEachServer("two machines with full inboxes that send to each other", (server) => {
  it("take all that is sent, in its order", async () => {
    const sides = await kicked(server, 1);
    for (const side of sides) {
      const { context, trouble } = await side.waitFor(
        (one) => one.context.taps === WAITING - 1 || one.trouble !== undefined,
        { timeout: "90s" },
      );
      expect(trouble).toBeUndefined();
      expect(context).toMatchObject({ kicks: WAITING - 1, taps: WAITING - 1, inOrder: true });
    }
  });

  it("fail with events that there is room for nowhere, and go on", async () => {
    const sides = await kicked(server, 5);
    for (const side of sides) {
      const { trouble } = await side.waitFor((one) => one.trouble !== undefined, {
        timeout: "90s",
      });
      expect(trouble?.error.type).toBe("queue-full");
      expect(trouble?.error.message).toContain("left.one");
    }
    for (const side of sides) {
      const end = async (): Promise<boolean> =>
        side.send({ type: "END" }, { id: "end" }).then(
          () => true,
          () => false,
        );
      await vi.waitUntil(end, { timeout: patient(60_000), interval: 500 });
      const { status, context } = await side.waitFor((one) => one.status !== "active", {
        timeout: "90s",
      });
      expect(status).toBe("done");
      expect(context.inOrder).toBe(true);
      expect(context.kicks).toBeLessThan(WAITING);
    }
  });
});
