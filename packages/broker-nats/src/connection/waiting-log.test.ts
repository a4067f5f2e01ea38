import { type Logger, MillraceError, silentLogger } from "@millrace/core";
import { expect, test } from "vitest";
import { WaitingLog } from "./waiting-log.ts";

const SERVERS = ["nats://nats:4222"];
const refusal = new MillraceError("server-unreachable", "No NATS server answers.", {
  cause: new Error("connect ECONNREFUSED 10.0.0.1:4222"),
});

function scene() {
  const clock = { now: 5_000 };
  const lines: [string, object, string][] = [];
  const log: Logger = {
    ...silentLogger,
    info: (fields, message) => void lines.push(["info", fields, message]),
    warn: (fields, message) => void lines.push(["warn", fields, message]),
  };
  return { clock, lines, waiting: new WaitingLog(log, SERVERS, "server", () => clock.now) };
}

test("a program that waits for its server says so at once, then once a minute, and when it has one", () => {
  const { clock, lines, waiting } = scene();
  for (let dial = 0; dial <= 360; dial += 1) {
    waiting.refused(refusal);
    clock.now += 250;
  }
  waiting.connected();
  const error = expect.objectContaining({
    message: "connect ECONNREFUSED 10.0.0.1:4222",
  }) as object;
  const told = "waiting for a NATS server: none answers yet; trying until one does";
  expect(lines).toEqual([
    ["warn", { servers: SERVERS, waitedMs: 0, error }, told],
    ["warn", { servers: SERVERS, waitedMs: 60_000, error }, told],
    ["info", { servers: SERVERS, waitedMs: 90_250 }, "a NATS server answers"],
  ]);
});

test("a server that answers at once is nothing to tell", () => {
  const { lines, waiting } = scene();
  waiting.connected();
  expect(lines).toEqual([]);
});
