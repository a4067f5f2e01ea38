import { UNSETTLED } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { capGate, permitLock } from "./gate-names.ts";
import { type Fleet, fleet, ids, type Payload, QUEUE } from "../fixtures/tenants.ts";

/** As a node leaves them that dies right after it has blocked a job: nobody will look again. */
async function leaveBlocked(
  { outside, clock }: Fleet,
  gate: string,
  blocked: readonly string[],
  queue = QUEUE,
): Promise<void> {
  await outside.queues.ensure("elsewhere");
  for (const id of blocked) {
    const payload = { tenant: "acme" };
    const job = {
      ...UNSETTLED,
      id,
      name: "t",
      queue,
      payload,
      createdAt: clock.now(),
      headers: {},
    };
    await outside.enqueue([{ ...job, queue: "elsewhere" }]);
    const taken = Promise.withResolvers<void>();
    const worker = await outside.work("elsewhere", {
      freeSlots: () => 1,
      leaseMs: 1_000,
      onDelivery: (delivery) => {
        const block = { do: "block", envelope: { ...job, generation: 1 }, gate } as const;
        outside.settle(delivery, [block, { do: "ack" }]).then(taken.resolve, taken.reject);
      },
    });
    await taken.promise;
    await worker.stop();
  }
}

describe("the sweeper", () => {
  test.each([
    [
      "a cap",
      capGate(QUEUE, "acme"),
      { concurrency: { key: ({ tenant }: Payload) => tenant, limit: 2 } },
    ],
    ["a singleton", "singleton/t", { singleton: true as const }],
    [
      "a rate",
      `rate/${QUEUE}/acme`,
      { rateLimit: { key: ({ tenant }: Payload) => tenant, limit: 9, per: "1s" as const } },
    ],
  ])("lets in what is blocked at %s and nobody remembers", async (_what, gate, options) => {
    const made = await fleet(2, options);
    await leaveBlocked(made, gate, ids("a", 5));
    await made.clock.advance("4s");
    expect(made.ledger.starts).toEqual([]);
    await made.clock.advance("30s");
    expect(made.ledger.ended.toSorted()).toEqual(ids("a", 5));
    expect(await made.outside.blocked.count()).toBe(0);
    expect(await made.outside.locks.list()).toEqual([]);
  });

  test("lets in no more than there is room for, also where only the permits tell how many there are", async () => {
    const made = await fleet(1, {});
    const { outside, clock } = made;
    for (const index of [0, 1])
      await outside.locks.acquire(permitLock("other", "acme", index), {
        holder: `n9 (${index + 1} of 3)`,
        leaseMs: 60_000,
      });
    await outside.queues.ensure("other");
    await leaveBlocked(made, capGate("other", "acme"), ids("a", 4), "other");
    await clock.advance("6s");
    expect(await outside.queues.snapshot("other")).toMatchObject({ queued: 1, blocked: 3 });
  });

  test("lets in one job for a singleton that several queues share, whichever has some that can come", async () => {
    const made = await fleet(1, {});
    const { outside, clock, brokers } = made;
    const shared = ["one", "two", "three"];
    for (const queue of shared) {
      await outside.queues.ensure(queue);
      await leaveBlocked(made, "singleton/t", [`${queue}-1`, `${queue}-2`], queue);
    }
    const left = async (): Promise<number> => outside.blocked.count();
    await clock.advance("6s");
    expect(await left()).toBe(5);
    const { blocked } = brokers[0] ?? expect.unreachable("there is one node");
    const release = blocked.release.bind(blocked);
    // As where a queue refuses what is blocked of it.
    blocked.release = async (queue, ...more) => (queue === "one" ? 0 : release(queue, ...more));
    await clock.advance("30s");
    expect((await outside.blocked.gates()).map(({ queue }) => queue)).toEqual(["one"]);
  });

  test.each([
    ["a cap", (key: string) => capGate(QUEUE, key)],
    ["a singleton", (key: string) => `singleton/key:${key}`],
  ])(
    "asks for all locks at once in a sweep, however many gates of %s there are",
    async (_what, gateOf) => {
      const made = await fleet(1, {
        concurrency: { key: ({ tenant }: Payload) => tenant, limit: 500 },
      });
      const { outside, clock, brokers } = made;
      let looks = 0;
      let lists = 0;
      for (const { locks } of brokers) {
        const { look, list } = { look: locks.look.bind(locks), list: locks.list.bind(locks) };
        locks.look = (name) => look(name).finally(() => (looks += 1));
        locks.list = (prefix) => list(prefix).finally(() => (lists += 1));
      }
      for (const tenant of ids("k", 30)) await leaveBlocked(made, gateOf(tenant), [`j-${tenant}`]);
      await clock.advance("5s");
      expect(await outside.blocked.count()).toBe(0);
      expect([lists, looks]).toEqual([1, 0]);
    },
  );

  test("one node sweeps, and another goes on when it is gone", async () => {
    const made = await fleet(3, {
      concurrency: { key: ({ tenant }: Payload) => tenant, limit: 1 },
    });
    const { outside, clock, brokers, ledger } = made;
    await outside.locks.acquire(permitLock(QUEUE, "acme", 0), {
      holder: "n9 (1 of 1)",
      leaseMs: 60_000,
    });
    await leaveBlocked(made, capGate(QUEUE, "acme"), ids("a", 2));
    await clock.advance("20s");
    const leader = await outside.locks.look("leader/sweeper");
    expect(leader?.holder).toMatch(/^n[012]$/);
    brokers[Number(leader?.holder.slice(1))]?.disconnect();
    await clock.advance("2m");
    expect(ledger.ended).toEqual(ids("a", 2));
    expect(await outside.locks.look("leader/sweeper")).toBeUndefined();
  });

  test("goes on within five seconds where the node that swept is killed", async () => {
    const made = await fleet(3, {
      concurrency: { key: ({ tenant }: Payload) => tenant, limit: 1 },
    });
    const { outside, clock, brokers, ledger } = made;
    const permit = { holder: "n9 (1 of 1)", leaseMs: 600_000 };
    const held = await outside.locks.acquire(permitLock(QUEUE, "acme", 0), permit);
    await leaveBlocked(made, capGate(QUEUE, "acme"), ids("a", 2));
    await clock.advance("20s");
    const leader = await outside.locks.look("leader/sweeper");
    brokers[Number(leader?.holder.slice(1))]?.disconnect();
    // The permit's holder dies with it, and nobody sees that.
    if (held !== undefined) await outside.locks.release(held);
    expect(ledger.starts).toEqual([]);
    await clock.advance("5s");
    expect(ledger.starts.length).toBeGreaterThan(0);
  });

  test("asks one question in five seconds while nothing is blocked", async () => {
    const made = await fleet(1, {});
    const [broker] = made.brokers;
    let asked = 0;
    const count = broker?.blocked.count.bind(broker.blocked);
    if (broker === undefined || count === undefined) throw new Error("there is no broker");
    broker.blocked.count = () => {
      asked += 1;
      return count();
    };
    await made.clock.advance("60s");
    expect(asked).toBe(12);
    expect(await made.outside.locks.list("leader/sweeper")).toEqual([]);
  });
});
