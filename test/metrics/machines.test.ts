import { machineKey, MACHINES_BUCKET } from "@millrace/core";
import { connect, defineMachine, runNode } from "millrace";
import { expect, test, vi } from "vitest";
import { fromPromise, setup } from "xstate";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { readMetrics } from "./exposition.ts";

vi.setConfig({ testTimeout: patient(240_000) });

const chart = setup({
  types: {
    context: {} as { isBad: boolean },
    input: {} as { isBad: boolean },
    events: {} as { type: "CHARGE" } | { type: "NOTHING" } | { type: "BOOM" } | { type: "CLOSE" },
  },
  actors: { charge: fromPromise(async () => null) },
  guards: {
    boom: () => {
      throw new Error("the guard is broken");
    },
  },
}).createMachine({
  context: ({ input }) => {
    if (input.isBad) throw new Error("the input is bad");
    return input;
  },
  initial: "open",
  on: { BOOM: { guard: "boom", target: ".closed" }, CLOSE: ".closed" },
  states: {
    open: { on: { CHARGE: "charging" } },
    charging: { invoke: { src: "charge", onDone: "resting" } },
    resting: { after: { 300: "rested" } },
    rested: {},
    closed: { type: "final" },
  },
});
const account = defineMachine({ name: "account", machine: chart });

describeEachServer("metrics of machines", (server) => {
  test("tell what became of what came, the timers, the jobs and the conflicts", async () => {
    await server.calm();
    const options = { servers: server.url, namespace: server.namespace(), env: {} };
    const node = await runNode({
      ...options,
      healthHost: "127.0.0.1",
      healthPort: 0,
      jobs: [],
      machines: [account],
    });
    cleanUpLater(() => node.stop({ immediate: true }));
    const millrace = await connect(options);
    cleanUpLater(() => millrace.close());
    const read = () => readMetrics(node);
    const machine = millrace.machine(account, "a:1");
    await machine.start({ isBad: false });
    await machine.start({ isBad: false });
    await machine.send({ type: "NOTHING" }, { id: "click" });
    await machine.send({ type: "NOTHING" }, { id: "click" });
    await machine.send({ type: "BOOM" });
    await machine.waitFor(({ trouble }) => trouble?.event === "BOOM", { timeout: "1m" });

    // What the host remembers of the machine is overtaken.
    const documents = await millrace.broker.documents(MACHINES_BUCKET);
    const stored = await documents.get(machineKey(machine));
    await documents.put(machineKey(machine), stored?.value, stored?.revision ?? 0);
    await machine.send({ type: "CHARGE" });
    await machine.waitFor((one) => one.matches("rested"), { timeout: "1m" });
    await machine.send({ type: "CLOSE" });
    await machine.send({ type: "NOTHING" });
    await millrace.machine(account, "bad").start({ isBad: true });
    await millrace.machine(account, "nobody").send({ type: "CLOSE" });
    const events = async (kind: string, outcome: string) =>
      (await read()).value("millrace_machine_events_total", { machine: "account", kind, outcome });
    await eventually(async () => (await events("event", "dropped")) === 2, {
      withinMs: 60_000,
      describe: "what is for nobody is dropped",
    });
    await eventually(async () => (await events("start", "failed")) === 1, {
      withinMs: 60_000,
      describe: "the bad start is taken",
    });
    const counted = [
      ["start", "taken", 1],
      ["start", "repeated", 1],
      ["event", "taken", 3],
      ["event", "repeated", 1],
      ["event", "failed", 1],
      ["end", "taken", 1],
      ["timer", "taken", 1],
      ["timer", "failed", undefined],
    ] as const;
    for (const [kind, outcome, count] of counted)
      expect([kind, outcome, await events(kind, outcome)]).toEqual([kind, outcome, count]);
    const page = await read();
    const of = { machine: "account" };
    expect(page.value("millrace_machine_timers_fired_total", of)).toBe(1);
    expect(page.value("millrace_machine_jobs_invoked_total", of)).toBe(1);
    expect(page.value("millrace_machine_conflicts_total", of)).toBe(1);
  });
});
