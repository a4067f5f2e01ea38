import { ClosedConnectionError, type NatsConnection } from "@nats-io/nats-core";
import { expect, test, vi } from "vitest";
import { subscribe } from "./subscribe.ts";

test("a subscription that could not be confirmed is taken back: the next try would hear everything twice", async () => {
  const unsubscribe = vi.fn();
  const nc = {
    subscribe: () => ({ unsubscribe }),
    isClosed: () => false,
  } as unknown as NatsConnection;
  const retrying = {
    flush: () => Promise.reject(new Error("the connection broke")),
  } as unknown as NatsConnection;
  const listening = subscribe({ nc, retrying }, { subject: "s", doing: "listen", hear: () => {} });
  await expect(listening).rejects.toThrow("the connection broke");
  expect(unsubscribe).toHaveBeenCalledOnce();
});

test("on a closed connection it is refused with a code, as every request is", async () => {
  const nc = {
    subscribe: () => {
      throw new ClosedConnectionError();
    },
  } as unknown as NatsConnection;
  const listening = subscribe(
    { nc, retrying: nc },
    { subject: "s", doing: "listen", hear: () => {} },
  );
  await expect(listening).rejects.toMatchObject({ code: "connection-closed" });
});
