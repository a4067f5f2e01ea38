import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterEach, expect, it } from "vitest";
import { eventually, within } from "./deadline.ts";
import { isPubAck } from "./nats-frames.ts";
import { startProxy } from "./proxy.ts";
import { describeEachServer } from "./servers.ts";

describeEachServer(
  "a server under test",
  (server) => {
    const open: NatsConnection[] = [];
    const dial = async (servers: string): Promise<NatsConnection> => {
      const connection = await connect({
        servers,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 20,
        noAsyncTraces: true,
      });
      open.push(connection);
      return connection;
    };
    afterEach(async () => {
      for (const connection of open.splice(0)) await connection.close();
    });
    const makeStream = async (connection: NatsConnection): Promise<string> => {
      const name = server.namespace();
      await (await jetstreamManager(connection)).streams.add({ name, subjects: [`${name}.>`] });
      return name;
    };
    const count = async (connection: NatsConnection, name: string): Promise<number> =>
      (await (await jetstreamManager(connection, { timeout: 500 })).streams.info(name)).state
        .messages;

    it("is the version it says", async () => {
      expect((await dial(server.url)).info?.version).toBe(server.version);
    });

    it("keeps what it confirmed when it is killed and comes back on the same port", async () => {
      const connection = await dial(server.url);
      const name = await makeStream(connection);
      await jetstream(connection).publish(`${name}.x`, "1");
      const pid = server.launched.pid;
      await server.kill();
      await expect(server.launched.exited).resolves.toEqual({ code: null, signal: "SIGKILL" });
      await server.restart();
      expect(server.launched.pid).not.toBe(pid);
      await eventually(async () => (await count(connection, name)) === 1, {
        withinMs: 10_000,
        describe: "the stream is back with its message",
      });
    });

    it("answers nothing while frozen and goes on when thawed", async () => {
      const connection = await dial(server.url);
      await server.freeze();
      const answer = connection.flush();
      await expect(within(answer, 100, "an answer")).rejects.toThrow("not within 100 ms");
      server.thaw();
      await within(answer, 5_000, "the answer after the thaw");
    });

    it("loses a confirmation, but not the message, when the proxy drops it", async () => {
      const proxy = await startProxy(server.url);
      const connection = await dial(proxy.url);
      const name = await makeStream(connection);
      const stopDropping = proxy.dropFromServer(isPubAck);
      const js = jetstream(connection);
      await expect(js.publish(`${name}.x`, "1", { msgID: "a", timeout: 200 })).rejects.toThrow();
      expect(proxy.dropped).toBeGreaterThan(0);
      expect(await count(connection, name)).toBe(1);
      stopDropping();
      await expect(js.publish(`${name}.x`, "1", { msgID: "a" })).resolves.toMatchObject({
        duplicate: true,
      });
    });

    it("is unreachable through a proxy that is cut or a black hole, until it is healed", async () => {
      const proxy = await startProxy(server.url);
      const connection = await dial(proxy.url);
      proxy.blackhole();
      const answer = connection.flush();
      await expect(within(answer, 100, "an answer")).rejects.toThrow("not within");
      proxy.heal();
      await within(answer, 5_000, "the answer that waited in the black hole");

      proxy.cut();
      await expect(
        connect({ servers: proxy.url, reconnect: false, timeout: 500 }),
      ).rejects.toThrow();
      proxy.heal();
      await eventually(() => connection.flush().then(() => true), {
        withinMs: 5_000,
        describe: "a reconnect",
      });
    });
  },
  { singleServer: "it is about the verbs of one process" },
);
