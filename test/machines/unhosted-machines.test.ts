import { connect, createNode, defineMachine, type Millrace, type MillraceNode } from "millrace";
import { expect, it, vi } from "vitest";
import { assign, setup } from "xstate";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(240_000) });

/** Longer than its host needs to stop on a busy machine: the timer is due when nobody hosts it. */
const WAITS_MS = 20_000;

const chart = setup({
  types: { context: {} as { knocks: number }, events: {} as { type: "KNOCK" } },
}).createMachine({
  context: { knocks: 0 },
  initial: "waiting",
  on: { KNOCK: { actions: assign({ knocks: ({ context }) => context.knocks + 1 }) } },
  states: { waiting: { after: { [WAITS_MS]: "late" } }, late: {} },
});
const door = defineMachine({ name: "door", machine: chart });
/** A name that somebody has mistyped. */
const dor = defineMachine({ name: "dor", machine: chart });

describeEachServer("machines that nobody hosts", (server) => {
  it("keep their events and timers, are named, and go on once somebody hosts them", async () => {
    const namespace = server.namespace();
    const connection = { servers: server.url, namespace, env: {} };
    const millrace = await connect(connection);
    cleanUpLater(() => millrace.close());
    const host = async (): Promise<MillraceNode> => {
      const node = await createNode({ ...connection, jobs: [], machines: [door] });
      await node.start();
      cleanUpLater(() => node.stop());
      return node;
    };
    expect(await millrace.broker.inbox.backlogs()).toEqual([]);
    const first = await host();
    const machine = millrace.machine(door, "d-1");
    await machine.start();
    await machine.waitFor((one) => one.matches("waiting"), { timeout: "30s" });
    await first.stop();

    const due = (await machine.snapshot()).timers[0]?.at ?? 0;
    await eventually(() => Date.now() > due + 500, {
      ...{ withinMs: 60_000, describe: "the timer is due" },
    });
    await millrace.machine(dor, "d-1").start();
    for (let knocks = 0; knocks < 2; knocks += 1) await machine.send({ type: "KNOCK" });
    // A timer that is due is counted only where the server has brought it.
    const least = server.generation === "2.10" ? 2 : 3;
    const waiting = await eventually(() => waitingOf(millrace, least), {
      ...{ withinMs: 30_000, describe: "what waits is counted" },
    });
    expect(waiting.get("dor")?.waiting).toBe(1);
    expect(waiting.get("door")?.waiting).toBe(least);

    const second = await host();
    const { trail } = await machine.waitFor(
      (one) => one.matches("late") && one.context.knocks === 2,
      { timeout: "60s" },
    );
    expect(trail.filter(({ event }) => event.startsWith("xstate.after."))).toHaveLength(1);
    await eventually(async () => !(await millrace.broker.inbox.backlogs()).some(isDoor), {
      ...{ withinMs: 30_000, describe: "nothing waits for it" },
    });
    await second.stop();
  });
});

const isDoor = ({ machine }: { readonly machine: string }): boolean => machine === "door";

async function waitingOf(millrace: Millrace, least: number) {
  const found = await millrace.broker.inbox.backlogs();
  const waiting = new Map(found.map((one) => [one.machine, one]));
  return (waiting.get("door")?.waiting ?? 0) >= least ? waiting : undefined;
}
