import { jetstream } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { silentLogger, type Logger } from "@millrace/core";
import { connect, createNode, defineMachine } from "millrace";
import { expect, it, vi } from "vitest";
import { assign, setup } from "xstate";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { within } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(60_000) });

const note = defineMachine({
  name: "note",
  machine: setup({
    types: {
      context: {} as { text: string; stamp: number },
      input: {} as { text: string },
      events: {} as { type: "STAMP"; seconds: number } | { type: "NEXT" },
    },
    actions: { stamp: assign({ stamp: (_, { at }: { at: number }) => at }) },
  }).createMachine({
    context: ({ input }) => ({ text: input.text, stamp: 0 }),
    initial: "open",
    states: {
      open: {
        on: {
          STAMP: {
            actions: { type: "stamp", params: ({ event }) => ({ at: event.seconds * 1e9 }) },
            target: "stamped",
          },
        },
      },
      stamped: { on: { NEXT: "over" } },
      over: {},
    },
  }),
});

async function scene(server: TestServer) {
  const namespace = server.namespace();
  const connection = { servers: server.url, namespace, env: {} };
  const millrace = await connect(connection);
  cleanUpLater(() => millrace.close());
  /** Starts a node, and tells when it gives an event back because a machine can't be read. */
  const host = async () => {
    const gaveBack = Promise.withResolvers<void>();
    const hear = (fields: object): void => {
      if (JSON.stringify(fields).includes("machine-unreadable")) gaveBack.resolve();
    };
    const log: Logger = { ...silentLogger, warn: hear, error: hear, child: () => log };
    const node = await createNode({ ...connection, jobs: [], machines: [note], log });
    await node.start();
    cleanUpLater(() => node.stop());
    return { node, gaveBack: gaveBack.promise };
  };
  const one = millrace.machine(note, "n-1");
  await one.start({ text: "ж".repeat(60_000) });
  await one.send({ type: "STAMP", seconds: 1_764_400_000 });
  const first = await host();
  await one.waitFor(({ value }) => value === "stamped", { timeout: "15s" });
  return { server, namespace, millrace, one, first, host };
}

/** Writes what no Millrace can read over the machine, with no host that holds it in memory. */
async function spoiled(server: TestServer) {
  const all = await scene(server);
  await all.first.node.stop();
  const documents = await all.millrace.broker.documents("machines");
  const before = await documents.get("note.n-1");
  const nc = await connectNats({ servers: server.url });
  cleanUpLater(() => nc.close());
  await server.calm();
  await jetstream(nc).publish(`$KV.${all.namespace}-machines.note.n-1`, "{ no JSON at all");
  await all.one.send({ type: "NEXT" });
  const second = await all.host();
  await within(second.gaveBack, 15_000, "the host gives the event back");
  return { ...all, documents, before: before?.value };
}

describeEachServer("a machine's document", (server) => {
  it("with a text that is not English and a large whole number is read by the next host", async () => {
    const { one, first, host } = await scene(server);
    await first.node.stop();
    await host();
    await one.send({ type: "NEXT" });
    const { context, trouble } = await one.waitFor(({ value }) => value === "over", {
      timeout: "15s",
    });
    expect({ stamp: context.stamp, trouble }).toEqual({
      ...{ stamp: 1_764_400_000_000_000_000, trouble: undefined },
    });
  });

  it("that can't be read is not taken for none: what comes to it waits until it can", async () => {
    const { one, documents, before } = await spoiled(server);
    await expect(one.snapshot()).rejects.toMatchObject({ code: "machine-unreadable" });
    await documents.put("note.n-1", before);
    const { value } = await one.waitFor((at) => at.value === "over", { timeout: "15s" });
    expect(value).toBe("over");
  });

  it("that is of another form than this version knows is told apart from none, too", async () => {
    const { one, documents } = await spoiled(server);
    await documents.put("note.n-1", { v: 2, machine: "note", id: "n-1" });
    await expect(one.snapshot()).rejects.toMatchObject({ code: "machine-unreadable" });
  });

  it("that can't be read is forgotten by force, and by nothing less", async () => {
    const { millrace, one } = await spoiled(server);
    const forget = (options: object) => millrace.machines.remove("note", "n-1", options);
    await expect(forget({})).rejects.toMatchObject({ code: "machine-unreadable" });
    expect(await forget({ force: true })).toBe(true);
    await expect(one.snapshot()).rejects.toMatchObject({ code: "machine-not-found" });
    await one.start({ text: "anew" });
    await one.waitFor(({ value, context }) => value === "open" && context.text === "anew", {
      timeout: "15s",
    });
  });
});
