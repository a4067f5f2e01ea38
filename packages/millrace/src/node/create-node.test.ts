import { defineJob, type Logger, silentLogger } from "@millrace/core";
import { findFreePort } from "@millrace/nats-server";
import { expect, test } from "vitest";
import { createNode } from "./connect-node.ts";

const job = defineJob({ name: "j", queue: "work" }).handler(() => 1);

test("a signal ends a start that waits for a server", async () => {
  const waits = Promise.withResolvers<void>();
  const log: Logger = { ...silentLogger, warn: () => waits.resolve(), child: () => log };
  const stop = new AbortController();
  const { signal } = stop;
  const starting = createNode({
    servers: `nats://127.0.0.1:${await findFreePort()}`,
    env: {},
    jobs: [job],
    log,
    signal,
  });
  // Heard before it is aborted: an await in between would call it unhandled.
  const told = expect(starting).rejects.toThrow("the process is to end");
  await waits.promise;
  stop.abort(new Error("the process is to end"));
  await told;
  await expect(createNode({ env: {}, jobs: [job], signal })).rejects.toBe(signal.reason);
});
