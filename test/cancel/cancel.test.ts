import { fileURLToPath } from "node:url";
import type { HistoryRecord } from "@millrace/core";
import { connect, defineJob, type Millrace } from "millrace";
import { expect, test, vi } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient as withElections } from "../harness/cluster/mode.ts";
import { startChild, type TestChild } from "../harness/child.ts";
import { eventually, within } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { startProxy } from "../harness/proxy.ts";
import { describeEachServer } from "../harness/servers.ts";
import { connectTo } from "../reliability/programs/connect.ts";
import { patient, QUEUE, task } from "./programs/jobs.ts";
import { threaded } from "./programs/thread-job.ts";

const PROGRAM = fileURLToPath(new URL("./programs/node-program.ts", import.meta.url));
const PATIENCE_MS = 60_000;
/** A process has to be started and its files compiled, on a machine that may be busy. */
const START_MS = 90_000;
// Two nodes start one after the other, and in a cluster what the first one held comes back half a
// minute after its end.
vi.setConfig({ testTimeout: withElections(90_000) });

interface Said {
  readonly say: string;
  readonly id?: string;
  readonly code?: string;
  readonly message?: string;
  readonly state?: string;
}

describeEachServer("cancel over processes", (server) => {
  /** A client in this process, and nodes in processes of their own. */
  async function scene() {
    const namespace = server.namespace();
    const connectClient = async (url = server.url): Promise<Millrace> => {
      const client = await connect({ broker: await connectTo({ servers: url, namespace }) });
      cleanUpLater(() => client.close());
      return client;
    };
    const client = await connectClient();
    await client.queues.ensure(QUEUE);
    const node = async (name: string, servers = server.url) => {
      const child = startChild(PROGRAM, { args: [JSON.stringify({ servers, namespace, name })] });
      await child.line(/^ready$/, START_MS);
      return child;
    };
    const records = (id: string): Promise<readonly HistoryRecord[]> =>
      client.broker.history.read({ id, queue: QUEUE });
    /** Followers hear of a record a moment before it can be read. */
    const recorded = (id: string): Promise<readonly HistoryRecord[]> =>
      eventually(
        async () => {
          const found = await records(id);
          return found.at(-1)?.state === "cancelled" ? found : undefined;
        },
        { withinMs: PATIENCE_MS, describe: `the record of the cancelled job ${id}` },
      );
    const noCancellationLeft = (): Promise<unknown> =>
      eventually(
        async () => (await (await client.broker.documents("cancellations")).list()).length === 0,
        { withinMs: PATIENCE_MS, describe: "every cancellation is removed" },
      );
    return { namespace, client, connectClient, node, records, recorded, noCancellationLeft };
  }

  function heard(child: TestChild, what: string, id: string | undefined): Promise<Said> {
    return child.message(
      (message): message is Said => (message as Said).say === what && (message as Said).id === id,
      PATIENCE_MS,
    );
  }

  test("a running job: its signal says why, and it ends as cancelled; one that ignores it, after its grace", async () => {
    const { client, node, recorded, noCancellationLeft } = await scene();
    const child = await node("a");
    for (const way of ["heed", "ignore"] as const) {
      const handle = await client.enqueue(task, { do: way }, { id: way });
      await heard(child, "started", way);
      // By its id alone, as another process would.
      const cancelling = client.cancel(handle.id, {
        reason: "user left",
        wait: withElections(10_000),
      });
      expect(await heard(child, "aborted", way)).toMatchObject({
        code: "cancelled",
        message: "user left",
      });
      expect(await cancelling).toEqual({ id: way, queue: QUEUE, state: "cancelled" });
      expect(await recorded(way)).toMatchObject([
        { state: "cancelled", reason: "user left", attempts: 0 },
      ]);
      await expect(handle.result()).rejects.toMatchObject({ code: "cancelled" });
      expect(await handle.cancel()).toMatchObject({ state: "cancelled" });
    }
    await noCancellationLeft();
  });

  test("a job in a worker thread: one that hears its signal, and one that is too busy to", async () => {
    const { client, namespace, recorded } = await scene();
    let atWork = Promise.withResolvers<void>();
    const log = {
      ...{ debug: () => {}, warn: () => {}, error: () => {} },
      info: (_fields: object, message: string) => {
        if (message.includes("at work")) atWork.resolve();
      },
      child: () => log,
    };
    await startNodeOnServer(server, { namespace, jobs: [threaded], log });
    for (const way of ["heed", "spin"] as const) {
      const handle = await client.enqueue(threaded, { do: way }, { id: way });
      await within(atWork.promise, PATIENCE_MS, `the thread does ${way}`);
      atWork = Promise.withResolvers();
      expect(await handle.cancel("enough", { wait: withElections(10_000) })).toMatchObject({
        state: "cancelled",
      });
      expect(await recorded(way)).toMatchObject([{ state: "cancelled", reason: "enough" }]);
    }
  });

  test("a delayed job is settled now and not when it is due", async () => {
    const { client, node, recorded } = await scene();
    await node("a");
    const handle = await client.enqueue(task, { do: "quick" }, { delay: "10m" });
    await eventually(async () => (await handle.status()).state === "delayed", {
      withinMs: PATIENCE_MS,
      describe: "the job is delayed",
    });
    expect(await handle.cancel("not needed", { wait: withElections(10_000) })).toMatchObject({
      state: "cancelled",
    });
    expect((await recorded(handle.id)).at(-1)).toMatchObject({ reason: "not needed", attempts: 0 });
  });

  test("a waiting job whose node starts later, after the server was killed: it is not run", async () => {
    const { client, node, recorded, noCancellationLeft } = await scene();
    const handle = await client.enqueue(task, { do: "quick" }, { id: "waits" });
    const other = await client.enqueue(task, { do: "quick" }, { id: "other" });
    expect(await handle.cancel("changed my mind")).toMatchObject({ state: "cancelling" });
    await server.kill();
    await server.restart();
    // A whole cluster that starts may have its leaders later than a node waits for JetStream.
    await server.calm();
    const child = await node("late");
    expect(await heard(child, "settled", "waits")).toMatchObject({ state: "cancelled" });
    expect(await other.result({ timeout: withElections(10_000) })).toBe("done");
    expect(await recorded("waits")).toMatchObject([{ state: "cancelled", attempts: 0 }]);
    await noCancellationLeft();
  });

  test("a waiting job is not run by a node whose watch has just died, though its connection lives", async () => {
    const { client, namespace, recorded, noCancellationLeft } = await scene();
    const [began, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const ran: string[] = [];
    const job = task.handler(async ({ job: { id } }) => {
      ran.push(id);
      began.resolve();
      await end.promise;
    });
    await startNodeOnServer(server, { namespace, jobs: [job], slots: 1 });
    await client.enqueue(task, { do: "quick" }, { id: "busy" });
    await within(began.promise, PATIENCE_MS, "the slot is taken");
    const handle = await client.enqueue(task, { do: "quick" }, { id: "waits" });
    // As when the member of a cluster dies that had the watch's consumer; the node notices by
    // missed heartbeats, seconds later.
    const { jsm } = await administrator(server);
    const stream = `KV_${namespace}-cancellations`;
    for (const { name } of await jsm.consumers.list(stream).next())
      await jsm.consumers.delete(stream, name);
    expect(await handle.cancel("withdrawn")).toMatchObject({ state: "cancelling" });
    end.resolve();
    expect(await recorded("waits")).toMatchObject([{ state: "cancelled", attempts: 0 }]);
    expect(ran).toEqual(["busy"]);
    await noCancellationLeft();
  });

  test("a node killed between the abort and the settlement: the next one settles it, and does not run it", async () => {
    const { client, node, records, recorded, noCancellationLeft } = await scene();
    const first = await node("first");
    const handle = await client.enqueue(patient, { do: "ignore" }, { id: "p" });
    await heard(first, "started", "p");
    await handle.cancel("stop");
    await heard(first, "aborted", "p");
    await first.kill();
    expect(await records("p")).toEqual([]);
    const second = await node("second");
    expect(await heard(second, "settled", "p")).toMatchObject({ state: "cancelled" });
    expect(await recorded("p")).toMatchObject([{ state: "cancelled", node: "second" }]);
    await noCancellationLeft();
  });

  test(
    "a cancel while the server is down fails by itself, and once it is up again reaches the handler",
    { timeout: withElections(90_000) },
    async () => {
      const { client, node, recorded } = await scene();
      const child = await node("a");
      const handle = await client.enqueue(patient, { do: "heed" }, { id: "h" });
      await heard(child, "started", "h");
      const gone = new Promise<void>((resolve) => {
        client.broker.onStatus((status) => {
          if (status === "disconnected") resolve();
        });
      });
      await server.kill();
      await within(gone, PATIENCE_MS, "the client notices");
      const early = handle.cancel("too early").then(
        () => "accepted",
        (error: { code?: string }) => error.code,
      );
      const code = await within(early, PATIENCE_MS, "the cancel gives up");
      expect(["request-timeout", "connection-closed", "broker-unavailable"]).toContain(code);
      await server.restart();
      await eventually(
        () =>
          handle
            .cancel("now", { wait: withElections(10_000) })
            .then(({ state }) => state === "cancelled"),
        {
          withinMs: PATIENCE_MS,
          describe: "the job is cancelled after the restart",
        },
      );
      expect((await recorded("h")).at(-1)).toMatchObject({ state: "cancelled" });
    },
  );

  test("a cancel while only the node is cut off reaches it when it is back", async () => {
    const { client, node } = await scene();
    const proxy = await startProxy(server.url);
    const child = await node("cut-off", proxy.url);
    const handle = await client.enqueue(patient, { do: "heed" }, { id: "h" });
    await heard(child, "started", "h");
    proxy.cut();
    expect(await handle.cancel("meanwhile")).toMatchObject({ state: "cancelling" });
    proxy.heal();
    // Either it comes back before its lease is over and is told, or it lost the job, which is then
    // settled when it comes again.
    expect(await handle.cancel("meanwhile", { wait: withElections(10_000) })).toMatchObject({
      state: "cancelled",
    });
  });

  test("a handler on one node cancels a job on another", async () => {
    const { client, connectClient, node, namespace } = await scene();
    const child = await node("target");
    await client.enqueue(task, { do: "ignore" }, { id: "target" });
    await heard(child, "started", "target");
    // Nodes hear of a cancellation as it is asked for: in an election the job has ended before that
    // is stored, and the boss is told so.
    await server.calm();
    const own = await connectClient();
    const boss = defineJob({ name: "boss", queue: "bosses" });
    const job = boss.handler(
      async () => (await own.cancel("target", { reason: "the boss says so" })).state,
    );
    await startNodeOnServer(server, { namespace, jobs: [job] });
    expect(
      await (await client.enqueue(boss, null)).result({ timeout: withElections(10_000) }),
    ).toBe("cancelling");
    expect(await heard(child, "aborted", "target")).toMatchObject({ message: "the boss says so" });
    expect(await heard(child, "settled", "target")).toMatchObject({ state: "cancelled" });
  });

  test(
    "200 at once, a hundred running on two nodes and a hundred behind them",
    { timeout: withElections(120_000) },
    async () => {
      const { client, node, noCancellationLeft } = await scene();
      await node("a");
      await node("b");
      const handles = await Promise.all(
        Array.from({ length: 200 }, (_, n) =>
          client.enqueue(task, { do: "heed" }, { id: `j${n}` }),
        ),
      );
      const { broker } = client;
      await eventually(async () => (await broker.queues.snapshot(QUEUE)).running === 100, {
        withinMs: PATIENCE_MS,
        describe: "all slots are busy",
      });
      const results = await within(
        Promise.all(
          handles.map((handle) => handle.cancel("all of you", { wait: withElections(20_000) })),
        ),
        30_000,
        "every cancel is settled",
      );
      expect(results.map(({ state }) => state)).toEqual(results.map(() => "cancelled"));
      // The record comes before the ack, so the last acks may still be on their way.
      await eventually(
        async () => {
          const { queued, running } = await broker.queues.snapshot(QUEUE);
          return queued + running === 0;
        },
        { withinMs: PATIENCE_MS, describe: "nothing is left in the queue" },
      );
      await noCancellationLeft();
    },
  );
});
