import type { OutboxStore } from "millrace/outbox";
import type { Claims } from "./claims.ts";
import type { DatabaseLine } from "./database-line.ts";

/** The outbox as a relay sees it, over its connection. */
export function storeOverLine(line: DatabaseLine, claims: Claims): OutboxStore {
  const nothing = async (): Promise<never[]> => [];
  return {
    migrate: async () => {},
    queues: () => line.call("queues", () => claims.queues()),
    mark: (queue) => line.call(`mark ${queue}`, () => "shop"),
    claim: (queue, limits) => line.call(`claim ${queue}`, () => claims.claim(queue, limits)),
    setAside: (queue, claim, rows) =>
      line.call(`aside ${queue} ${claim.id}`, () => claims.aside(queue, claim, rows)),
    replace: async () => false,
    finish: (queue, claim, rows) =>
      line.call(`finish ${queue} ${claim.id}`, () => claims.finish(queue, claim, rows)),
    note: async () => {},
    setIdle: async () => {},
    status: nothing,
    listSetAside: nothing,
    retry: async () => 0,
    batches: nothing,
    forgetBatches: async () => {},
    close: async () => {},
  };
}
