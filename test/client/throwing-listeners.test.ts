import { connect, defineJob, defineMachine } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { createMachine } from "xstate";
import { eventually, within } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const WITHIN_MS = 20_000;
/** A connection that is deaf notices it later. */
const SOON_MS = 10_000;
const job = defineJob<unknown>({ name: "work", queue: "work" });
const door = defineMachine({
  name: "door",
  machine: createMachine({
    initial: "shut",
    states: { shut: { on: { PUSH: "open" } }, open: {} },
  }),
});

describeEachServer("an application's listener that throws", (server) => {
  /** Resolves when the process has warned of all these, which it does in a later turn. */
  const warnings = () => {
    const told: string[] = [];
    const hear = (warning: Error): void => void told.push(warning.message);
    process.on("warning", hear);
    onTestFinished(() => void process.off("warning", hear));
    return (...all: readonly string[]): Promise<unknown> =>
      eventually(() => all.every((one) => told.includes(one)), {
        ...{ withinMs: WITHIN_MS, describe: `it warns of ${all.join(", ")}` },
      });
  };
  const connected = async () => {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    await client.queues.ensure("work");
    return { client, namespace };
  };

  test("of the status: others hear the reconnect, and jobs are stored after it", async () => {
    const told = warnings();
    const { client } = await connected();
    client.onStatus((status) => {
      throw new Error(`no room for ${status}`);
    });
    const heard: string[] = [];
    const back = Promise.withResolvers<void>();
    client.onStatus((status) => {
      heard.push(status);
      if (status === "connected") back.resolve();
    });
    await server.kill();
    await server.restart();
    await within(back.promise, WITHIN_MS, "the connection is back");
    expect(heard).toEqual(["disconnected", "connected"]);
    expect(client.status).toBe("connected");
    expect(await client.enqueue(job, null)).toMatchObject({ queue: "work" });
    await told("no room for disconnected", "no room for connected");
  });

  test("of a machine: the connection goes on hearing, and so does the listener", async () => {
    const told = warnings();
    const { client, namespace } = await connected();
    await startNodeOnServer(server, { namespace, jobs: [], machines: [door] });
    const front = client.machine(door, "front");
    const seen: unknown[] = [];
    const [shut, open] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await front.subscribe(({ value }) => {
      seen.push(value);
      (value === "shut" ? shut : open).resolve();
      throw new Error(`no door is ${String(value)}`);
    });
    await front.start();
    await within(shut.promise, WITHIN_MS, "it is shut");
    const stored = client.enqueue(job, null);
    expect(await within(stored, SOON_MS, "a job is stored")).toMatchObject({ queue: "work" });
    await front.send({ type: "PUSH" });
    await within(open.promise, WITHIN_MS, "it is open");
    expect(seen).toEqual(["shut", "open"]);
    await told("no door is shut", "no door is open");
  });

  test("what is no function is refused", async () => {
    const { client } = await connected();
    const none = undefined as unknown as () => void;
    expect(() => client.onStatus(none)).toThrow(/listener: must be a function/);
    await expect(client.machine(door, "front").subscribe(none)).rejects.toMatchObject({
      code: "invalid-option",
    });
  });
});
