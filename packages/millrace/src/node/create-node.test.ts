import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { defineJob, type Logger, silentLogger } from "@millrace/core";
import { expect, test } from "vitest";
import { createNode } from "./connect-node.ts";

const job = defineJob({ name: "j", queue: "work" }).handler(() => 1);

/** A port at which nothing answers. */
async function nowhere(): Promise<string> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `nats://127.0.0.1:${port}`;
}

test("a signal ends a start that waits for a server", async () => {
  const waits = Promise.withResolvers<void>();
  const log: Logger = { ...silentLogger, warn: () => waits.resolve(), child: () => log };
  const stop = new AbortController();
  const { signal } = stop;
  const starting = createNode({ servers: await nowhere(), env: {}, jobs: [job], log, signal });
  // Heard before it is aborted: an await in between would call it unhandled.
  const told = expect(starting).rejects.toThrow("the process is to end");
  await waits.promise;
  stop.abort(new Error("the process is to end"));
  await told;
  await expect(createNode({ env: {}, jobs: [job], signal })).rejects.toBe(signal.reason);
});
