import { type BlockedJob, type Envelope, type HistoryRecord, UNSETTLED } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { enqueuedBefore } from "./enqueued-before.ts";
import { replaced } from "./killer.fixture.ts";

const job = (id: string, more: Partial<Envelope> = {}): Envelope => ({
  ...{ ...UNSETTLED, id, queue: "mail", name: "mail.send", payload: null, headers: {} },
  ...{ createdAt: 7, ...more },
});

test("many jobs are looked for by one reading of their queue, wherever they are", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  onTestFinished(() => broker.close());
  await broker.queues.ensure("mail");
  const queued = ["q0", "q1", "q2"].map((id) => job(id));
  const later = clock.now() + 86_400_000;
  const delayed = job("delayed", { notBefore: later });
  // More than one page of others, and one of an id that is another's.
  const others = Array.from({ length: 1_100 }, (_, n) => job(`o${n}`));
  await broker.enqueue([delayed, job("same", { createdAt: 3 }), ...others, ...queued]);
  const blocked: BlockedJob = { envelope: job("blocked"), gate: "g", sequence: 4, storedAt: 1 };
  const done = job("done");
  const record = { id: "done", createdAt: 7, at: 1 } as HistoryRecord;
  let searches = 0;
  const withHistory = replaced(
    broker,
    "history",
    replaced(broker.history, "read", async ({ id }) => (id === "done" ? [record] : [])),
  );
  const via = replaced(
    replaced(withHistory, "findWaiting", (id, options = {}) => {
      if (options.only === undefined) searches += 1;
      return broker.findWaiting(id, options);
    }),
    "blocked",
    replaced(broker.blocked, "list", async ({ after = 0 } = {}) => (after < 4 ? [blocked] : [])),
  );
  const there = [...queued, delayed, blocked.envelope, done];
  const missing = ["m0", "same", "m1"].map((id) => job(id));
  const items = [...there, ...missing].map((envelope, seq) => ({ seq, job: { envelope } }));
  const traits = { waiting: () => true, recorded: () => true };
  const before = await enqueuedBefore(via, "mail", items, traits);
  const ids = [...before].map((item) => item.job.envelope.id);
  expect(ids.toSorted()).toEqual(there.map(({ id }) => id).toSorted());
  expect(searches).toBe(0);
});
