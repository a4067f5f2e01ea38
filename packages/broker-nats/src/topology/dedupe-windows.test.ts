import { JetStreamApiError, type JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { expect, it } from "vitest";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { DedupeWindows } from "./dedupe-windows.ts";
import { Names } from "./subjects.ts";

it("does not believe that a queue which was missing remembers ids for ever", async () => {
  const info = (): Promise<never> =>
    Promise.reject(
      new JetStreamApiError({ code: 404, err_code: STREAM_NOT_FOUND, description: "missing" }),
    );
  const server = {
    nc: {} as NatsConnection,
    jsm: { streams: { info } } as unknown as JetStreamManager,
    names: new Names("m"),
  } as unknown as ServerAccess;
  const windows = new DedupeWindows(server);
  expect(await windows.of("mail")).toBe(Number.POSITIVE_INFINITY);
  expect(windows.last("mail")).toBeUndefined();
});
