import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchCluster, launchServer, storeOwner } from "@millrace/nats-server";
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

    it("has its store alone: a second server would lose what the first has confirmed", async () => {
      const storeDir = await mkdtemp(join(tmpdir(), "millrace-store-"));
      cleanUpLater(() => rm(storeDir, { recursive: true, force: true }));
      const first = await launchServer({ path, storeDir });
      const settings = await readFile(join(storeDir, "nats-server.conf"), "utf8");
      await expect(launchServer({ path, storeDir })).rejects.toMatchObject({
        code: "store-in-use",
        message: expect.stringContaining(first.url) as unknown,
      });
      expect(await readFile(join(storeDir, "nats-server.conf"), "utf8")).toBe(settings);
      expect(await storeOwner(storeDir)).toBe(first.url);
      await first.restart();
      expect(await storeOwner(storeDir)).toBe(first.url);
      await first.kill();
      expect(await storeOwner(storeDir)).toBeUndefined();
      await using second = await launchServer({ path, storeDir });
      await expect(first.restart()).rejects.toMatchObject({ code: "store-in-use" });
      await second.stop();
      await first.restart();
      await first.dispose();
    });

    it.each([
      ["whose owner is dead", { pid: 2 ** 30 }],
      ["whose owner's pid another process has", { pid: process.pid, start: "of another" }],
    ])("takes over a store %s", async (_, owner) => {
      const storeDir = await mkdtemp(join(tmpdir(), "millrace-store-"));
      cleanUpLater(() => rm(storeDir, { recursive: true, force: true }));
      const lock = join(storeDir, "millrace-server.lock");
      await writeFile(lock, JSON.stringify({ url: "nats://127.0.0.1:1", ...owner }));
      await using server = await launchServer({ path, storeDir });
      expect(await storeOwner(storeDir)).toBe(server.url);
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
