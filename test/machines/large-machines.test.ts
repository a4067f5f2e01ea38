import { connect, createNode, defineMachine, type MachineDefinition } from "millrace";
import { expect, it, vi } from "vitest";
import { assign, setup } from "xstate";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(120_000) });

/** What the servers of these tests take in a message. */
const LIMIT = 1_048_576;

const list = defineMachine({
  name: "list",
  machine: setup({
    types: {
      context: {} as { all: string[] },
      input: {} as { letters: number } | undefined,
      events: {} as { type: "ADD"; text: string } | { type: "CLEAR" },
    },
    actions: {
      add: assign({ all: ({ context }, { text }: { text: string }) => [...context.all, text] }),
      clear: assign({ all: [] }),
    },
  }).createMachine({
    context: ({ input }) => ({ all: ["x".repeat(input?.letters ?? 0)] }),
    on: {
      ADD: { actions: { type: "add", params: ({ event }) => ({ text: event.text }) } },
      CLEAR: { actions: "clear" },
    },
  }),
});

const big = defineMachine({
  name: "big",
  machine: setup({ types: { context: {} as { text: string } } }).createMachine({
    context: () => ({ text: "x".repeat(LIMIT + 10) }),
  }),
});

async function hosted(server: TestServer, machines: readonly MachineDefinition[]) {
  const connection = { servers: server.url, namespace: server.namespace(), env: {} };
  const millrace = await connect(connection);
  cleanUpLater(() => millrace.close());
  const node = await createNode({ ...connection, jobs: [], machines });
  await node.start();
  cleanUpLater(() => node.stop());
  return millrace;
}

describeEachServer("a machine that is nearly as large as a message", (server) => {
  it("refuses what would make it larger, and takes what makes it smaller", async () => {
    const millrace = await hosted(server, [list]);
    const one = millrace.machine(list, "l-1");
    await one.start({ letters: LIMIT - 12_000 });
    // It grows by little at a time, as lists do, until no more fits.
    for (let n = 0; n < 30; n += 1) await one.send({ type: "ADD", text: "y".repeat(150) });
    await one.waitFor(({ trouble }) => trouble?.error.type === "payload-too-large", {
      timeout: "40s",
    });
    await one.send({ type: "CLEAR" });
    const { status } = await one.waitFor(({ context }) => context.all.length === 0, {
      timeout: "40s",
    });
    expect(status).toBe("active");
  });

  it("does not become so by the types of events that its chart does not know", async () => {
    const millrace = await hosted(server, [list]);
    const one = millrace.machine("list", "l-2");
    await one.start();
    for (let n = 0; n < 6; n += 1) await one.send({ type: "x".repeat(200_000) });
    await one.stop();
    const { trouble } = await one.waitFor(({ status }) => status === "stopped", { timeout: "20s" });
    expect(trouble).toBeUndefined();
  });

  it("does not stand still if it was stored before there was room for a refusal", async () => {
    const millrace = await hosted(server, [list]);
    const one = millrace.machine(list, "l-3");
    await one.start();
    await one.waitFor(({ status }) => status === "active", { timeout: "15s" });
    const documents = await millrace.broker.documents("machines");
    const found = await documents.get("list.l-3");
    // All that the server takes, with the headers of a write.
    const room = LIMIT - 330 - Buffer.byteLength(JSON.stringify(found?.value));
    const full = { ...(found?.value as object), context: { all: ["x".repeat(room)] } };
    await documents.put("list.l-3", full, found?.revision);
    await one.send({ type: "ADD", text: "y".repeat(2_000) });
    await one.stop();
    const ended = await one.waitFor((at) => at.status === "stopped", { timeout: "20s" });
    expect(ended.trouble?.error.type).toBe("payload-too-large");
  });

  it("and cannot even be stored as it begins, is stored as one that has failed", async () => {
    const millrace = await hosted(server, [big]);
    const one = millrace.machine(big, "b-1");
    await one.start();
    await expect(one.waitFor(() => false, { timeout: "20s" })).rejects.toMatchObject({
      code: "machine-ended",
    });
    expect(await one.snapshot()).toMatchObject({
      ...{ status: "error", error: { type: "payload-too-large" } },
    });
    expect(await millrace.machines.remove("big", "b-1")).toBe(true);
  });
});
