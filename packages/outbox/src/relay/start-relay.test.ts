import { type MetricsCollector, MillraceError, noMetrics } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { expect, test } from "vitest";
import type { OutboxStore } from "../store/outbox-store.ts";
import { type RelayOptions, startRelay } from "./relay.ts";

/** A store that can't listen, and notes that it was closed. */
function deafStore(): { store: OutboxStore; closed: () => boolean } {
  let closed = false;
  const refuse = (): Promise<never> =>
    Promise.reject(new MillraceError("outbox-failed", "The package pg is not installed."));
  const store: OutboxStore = {
    ...{
      migrate: refuse,
      queues: refuse,
      mark: refuse,
      claim: refuse,
      setAside: refuse,
      replace: refuse,
    },
    ...{ finish: refuse, note: refuse, status: refuse, listSetAside: refuse, retry: refuse },
    ...{ batches: refuse, forgetBatches: refuse, setIdle: refuse, listen: refuse },
    close: async () => void (closed = true),
  };
  return { store, closed: () => closed };
}

test.each<[string, Partial<RelayOptions>, string]>([
  ["it can't listen", {}, "outbox-failed"],
  ["an option is wrong", { pollMs: 0 }, "invalid-option"],
])("a relay that does not start because %s leaves nothing open", async (_, options, code) => {
  const { store, closed } = deafStore();
  let looks = 0;
  const metrics: MetricsCollector = {
    ...noMetrics,
    onCollect: () => {
      looks += 1;
      return () => void (looks -= 1);
    },
  };
  const broker = new MemoryBroker();
  await expect(startRelay({ broker, store, metrics, ...options })).rejects.toMatchObject({ code });
  expect(closed()).toBe(true);
  expect(looks).toBe(0);
  await broker.close();
});
