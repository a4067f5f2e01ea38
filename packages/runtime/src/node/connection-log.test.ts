import { defineJob, type Logger, silentLogger } from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

test("a lost connection and its return are lines, and how long it was away", async () => {
  const lines: [string, object, string][] = [];
  const log: Logger = {
    ...silentLogger,
    info: (fields, message) => void lines.push(["info", fields, message]),
    warn: (fields, message) => void lines.push(["warn", fields, message]),
    child: () => log,
  };
  const job = defineJob({ name: "t.job", queue: QUEUE }).handler(() => 1);
  const { broker, clock } = await simulatedNode({ jobs: [job], log });
  broker.disconnect();
  await clock.advance("90s");
  broker.reconnect();
  await clock.advance("1s");
  expect(lines.filter(([, , message]) => message.includes("connection to the broker"))).toEqual([
    ["warn", {}, "the connection to the broker is lost; connecting again"],
    ["info", { awayMs: 90_000 }, "the connection to the broker is back"],
  ]);
});
