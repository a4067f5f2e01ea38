import type { NatsConnection } from "@nats-io/nats-core";
import { expect, test, vi } from "vitest";
import { listen } from "./listen.ts";

test("a subscription that could not be confirmed is taken back: the next try would hear everything twice", async () => {
  const unsubscribe = vi.fn();
  const nc = {
    subscribe: () => ({ unsubscribe }),
    isClosed: () => false,
  } as unknown as NatsConnection;
  const patient = {
    flush: () => Promise.reject(new Error("the connection broke")),
  } as unknown as NatsConnection;
  const listening = listen({ nc, patient }, { subject: "s", doing: "listen", hear: () => {} });
  await expect(listening).rejects.toThrow("the connection broke");
  expect(unsubscribe).toHaveBeenCalledOnce();
});
