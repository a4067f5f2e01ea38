import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import { connectBroker } from "@millrace/broker-nats";
import { type Logger, silentLogger } from "@millrace/core";
import { expect, onTestFinished, test } from "vitest";
import { within } from "../harness/deadline.ts";
import { describeOnOwnServers } from "./real-server.ts";

describeOnOwnServers("the thread that extends leases, while a server has no room", (start) => {
  async function fullServer() {
    const server = await start({ config: "max_connections: 1" });
    onTestFinished(() => server[Symbol.asyncDispose]());
    const told = Promise.withResolvers<object>();
    const log: Logger = {
      ...silentLogger,
      warn: (fields, message) => {
        if (message.startsWith("no lease can be extended: the thread")) told.resolve(fields);
      },
      child: () => log,
    };
    const ended = Promise.withResolvers<void>();
    const watch = (worker: Worker): void => void once(worker, "exit").then(() => ended.resolve());
    process.once("worker", watch);
    onTestFinished(() => void process.off("worker", watch));
    const broker = await connectBroker({ servers: server.url, logger: log });
    onTestFinished(() => broker.close());
    await broker.queues.ensure("q");
    const working = broker.work("q", {
      ...{ leaseMs: 30_000, freeSlots: () => 1, onDelivery: () => {} },
    });
    const worked = working.then(
      () => "worked",
      (error: unknown) => error,
    );
    return { broker, worked, told: told.promise, ended: ended.promise };
  }

  test("says what it waits for, and a close waits for no connection: nothing of it stays", async () => {
    const { broker, worked, told, ended } = await fullServer();
    expect(await within(told, 30_000, () => "a line of the log")).toMatchObject({
      waitedMs: expect.any(Number) as number,
    });
    await within(broker.close(), 20_000, () => "the close");
    expect(await within(worked, 20_000, () => "the refusal")).toMatchObject({
      code: "connection-closed",
    });
    await within(ended, 20_000, () => "the thread's end");
  });
});
