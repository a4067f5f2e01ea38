import { defineJob } from "@millrace/core";
import { findFreePort } from "@millrace/nats-server";
import { expect, test } from "vitest";
import { readConfig } from "../../config/read-config.ts";
import { type CliIo, plain } from "../io.ts";
import { startServing } from "./serve.ts";

// Loading the log and the metrics opens them, and they are not this file's to close.
void [process.stdin, process.stderr];

const io: CliIo = {
  env: {},
  cwd: import.meta.dirname,
  paint: plain,
  paintErr: plain,
  out: () => {},
  err: () => {},
  progress: () => {},
  readStdin: () => Promise.resolve(""),
  ask: () => Promise.resolve(undefined),
};

test("a node hears signals before the process ceases to, or one that comes in between is dropped", async () => {
  const MILLRACE_SERVERS = `nats://127.0.0.1:${await findFreePort()}`;
  const config = readConfig({
    env: {
      MILLRACE_SERVERS,
      MILLRACE_HEALTH_PORT: "0",
      MILLRACE_HEALTH_HOST: "127.0.0.1",
      MILLRACE_LOG_LEVEL: "error",
    },
  });
  const jobs = [defineJob({ name: "j", queue: "work" }).handler(() => 1)];
  const before = process.listeners("SIGTERM");
  const heard = (): NodeJS.SignalsListener[] =>
    process.listeners("SIGTERM").filter((listener) => !before.includes(listener));
  let hearing = 0;
  const { node, stopped } = await startServing(config, { jobs, schedules: [], machines: [] }, io, {
    onNode: () => {
      hearing = heard().length;
      for (const listener of heard()) listener("SIGTERM");
      // Else a node that hears nothing would wait for its server for ever.
      if (hearing === 0) setImmediate(() => heard()[0]?.("SIGTERM"));
    },
  });
  await stopped;
  expect([hearing, node.state]).toEqual([1, "stopped"]);
});
