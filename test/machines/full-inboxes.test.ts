import { type Logger, silentLogger } from "@millrace/core";
import {
  connect,
  createNode,
  defineMachine,
  machineAddress,
  type MachineDefinition,
} from "millrace";
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
const sideOf = (name: string, times: number, change?: "no more taps") => {
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
              ...Array.from({ length: change === undefined ? times : 0 }, () => "tap" as const),
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
  const own = { name, machine: chart, sendsTo: [...SIDES] };
  return change === undefined
    ? defineMachine(own)
    : defineMachine({ ...own, version: 2, migrate: (state) => state });
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
  const problems: unknown[] = [];
  const keep = (fields: unknown): void => void problems.push(fields);
  const log: Logger = { ...silentLogger, warn: keep, error: keep, child: () => log };
  const hostWith = async (machines: readonly MachineDefinition[]) => {
    const node = await createNode({ ...connection, jobs: [], machines, log });
    await node.start();
    cleanUpLater(() => node.stop());
    return node;
  };
  const node = await hostWith(definitions);
  return { sides, node, hostWith, problems: () => JSON.stringify(problems) };
}

function waitsWithin(side: string): string {
  return `As many events of the machine ${side}.one wait for`;
}

describeEachServer("two machines with full inboxes that send to each other", (server) => {
  it("take all that is sent, in its order", async () => {
    const { sides } = await kicked(server, 1);
    for (const side of sides) {
      const { context, trouble } = await side.waitFor(
        (one) => one.context.taps === WAITING - 1 || one.trouble !== undefined,
        { timeout: "90s" },
      );
      expect(trouble).toBeUndefined();
      expect(context).toMatchObject({ kicks: WAITING - 1, taps: WAITING - 1, inOrder: true });
    }
  });

  it("lose nothing where neither has room, and go on once a new chart sends less", async () => {
    const { sides, node, hostWith, problems } = await kicked(server, 5);
    const stand = (): boolean => SIDES.every((side) => problems().includes(waitsWithin(side)));
    await vi.waitUntil(stand, { timeout: patient(90_000), interval: 200 });
    const before = await Promise.all(sides.map((side) => side.snapshot()));
    for (const { context, trouble } of before) {
      expect(trouble).toBeUndefined();
      expect(context.kicks).toBeLessThan(WAITING - 1);
    }
    await node.stop();
    const kept = await Promise.all(sides.map((side) => side.snapshot()));
    await hostWith(SIDES.map((name) => sideOf(name, 5, "no more taps")));
    for (const [at, side] of sides.entries()) {
      const taps = 5 * (kept[1 - at]?.context.kicks ?? 0);
      const { context, trouble } = await side.waitFor(
        (one) => one.context.taps >= taps && one.context.kicks === WAITING - 1,
        { timeout: "90s" },
      );
      expect(trouble).toBeUndefined();
      expect(context).toMatchObject({ kicks: WAITING - 1, taps, inOrder: true });
    }
  });
});
