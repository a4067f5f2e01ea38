import { join } from "node:path";
import { expect, test } from "vitest";
import { startChild } from "../harness/child.ts";
import { eventually } from "../harness/deadline.ts";
import { startProxy } from "../harness/proxy.ts";
import { describeEachServer } from "../harness/servers.ts";

const PROGRAM = join(import.meta.dirname, "closing-program.ts");

describeEachServer(
  "a broker that is closed while it dials a server that says nothing",
  (server) => {
    test("leaves nothing open: its process ends", async () => {
      const proxy = await startProxy(server.url);
      const child = startChild(PROGRAM, { args: [proxy.url, server.namespace()] });
      await child.line(/^ready/, 20_000);
      // As a server that is stopped: its machine takes connections, and nobody answers.
      proxy.cut();
      proxy.blackhole();
      await child.line(/^disconnected/, 20_000);
      await eventually(() => proxy.outwardPorts.length > 0, {
        withinMs: 20_000,
        describe: "it dials",
      });
      child.send({ do: "close" });
      await child.line(/^it is closed/, 20_000);
      expect(await child.exit(20_000)).toEqual({ code: 0, signal: null });
    });
  },
);
