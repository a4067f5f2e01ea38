import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchCluster, launchServer } from "@millrace/nats-server";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { startChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

for (const target of serversUnderTest()) {
  const path = target.state === "present" ? target.path : "";
  describe.skipIf(target.state === "missing")(`launchServer (${nameOf(target)})`, () => {
    it("refuses a configuration the server does not take, with the server's own words", async () => {
      await expect(
        launchServer({ path, config: "jetstream { no_such_option: 1 }" }),
      ).rejects.toThrow(/ended while starting[\s\S]*no_such_option/);
    });

    it("says so when the port is taken", async () => {
      await using server = await launchServer({ path });
      await expect(launchServer({ path, port: server.port })).rejects.toMatchObject({
        code: "server-failed",
      });
    });

    it("stops, restarts and disposes in any order and more than once", async () => {
      const server = await launchServer({ path });
      await Promise.all([server.stop(), server.stop(), server.kill()]);
      expect(server.state).toBe("ended");
      await server.restart();
      await server.restart();
      expect(server.state).toBe("running");
      await server.pause();
      await server.dispose();
      await server.dispose();
      await expect(access(server.storeDir)).rejects.toThrow("ENOENT");
    });

    it("keeps a store that is its caller's", async () => {
      const storeDir = await mkdtemp(join(tmpdir(), "millrace-store-"));
      cleanUpLater(() => rm(storeDir, { recursive: true, force: true }));
      for (const expected of [0, 1]) {
        await using server = await launchServer({ path, storeDir });
        const connection = await connect({ servers: server.url });
        const manager = await jetstreamManager(connection);
        expect((await manager.getAccountInfo()).streams).toBe(expected);
        await manager.streams.add({ name: "kept", subjects: ["kept"] });
        await connection.close();
      }
    });

    it("ends, with its temporary store, when the process that launched it is killed", async () => {
      const child = startChild(join(import.meta.dirname, "launching-program.ts"), { args: [path] });
      const line = await child.line(/^\d+ /, 20_000);
      const [pid = "", storeDir = ""] = line.split(" ");
      await child.kill();
      await eventually(() => !isAlive(Number(pid)), {
        withinMs: 20_000,
        describe: `server ${pid} has ended`,
      });
      await eventually(
        () =>
          access(storeDir).then(
            () => false,
            () => true,
          ),
        {
          withinMs: 20_000,
          describe: `${storeDir} is removed`,
        },
      );
    });

    it("starts a cluster of three that takes a replicated stream", async () => {
      await using cluster = await launchCluster({ path });
      const connection = await connect({ servers: [...cluster.urls] });
      const manager = await jetstreamManager(connection);
      const info = await eventually(
        () => manager.streams.add({ name: "replicated", subjects: ["r"], num_replicas: 3 }),
        { withinMs: 20_000, describe: "the cluster takes a stream" },
      );
      expect(info.config.num_replicas).toBe(3);
      await connection.close();
    });
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
