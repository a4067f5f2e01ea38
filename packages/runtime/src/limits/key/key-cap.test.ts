import { CONTROLS_BUCKET, type HeldLock, MillraceError, noMetrics } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { permitLock } from "../gate-names.ts";
import { fleet, ids, type Payload, QUEUE } from "../../fixtures/tenants.ts";

const concurrency = (limit: number) => ({
  concurrency: { key: ({ tenant }: Payload) => tenant, limit },
});

describe("a cap for each key, over all nodes", () => {
  test.each([
    [1, 1],
    [2, 1],
    [2, 2],
    [3, 5],
  ])(
    "%i nodes and a limit of %i: never more run, all run, and waiting costs no attempt",
    async (nodes, limit) => {
      const { clock, ledger, outside, enqueue } = await fleet(nodes, concurrency(limit), {
        slots: 4,
      });
      const jobs = ids("a", 24);
      const from = clock.now();
      await enqueue(jobs, { tenant: "acme" });
      await clock.advance("30s");
      // Permits go from job to job: none of them had to wait for the sweeper, or for a permit that
      // lay about.
      const lastMs = Math.max(...ledger.starts.map(({ atMs }) => atMs)) - from;
      expect(lastMs).toBeLessThanOrEqual((24 / limit) * 100 + 300);
      expect(ledger.most).toBe(Math.min(limit, nodes * 4));
      expect(ledger.ended.toSorted()).toEqual(jobs.toSorted());
      for (const id of jobs) {
        const records = await outside.history.read({ id });
        expect(records.at(-1)).toMatchObject({ state: "succeeded", attempts: 1 });
        expect(records.slice(0, -1).every(({ outcome }) => outcome === "blocked")).toBe(true);
      }
      expect(await outside.blocked.count()).toBe(0);
      // Nothing is kept for a key that has no jobs.
      expect(await outside.locks.list()).toEqual([]);
    },
  );

  test("one job ends, and the next starts at that instant, the oldest first", async () => {
    const { clock, ledger, enqueue } = await fleet(1, concurrency(1));
    await enqueue(ids("a", 6), { tenant: "acme" });
    await clock.advance("10s");
    expect(ledger.starts.map(({ id }) => id)).toEqual(ids("a", 6));
    const gaps = ledger.starts
      .slice(1)
      .map(({ atMs }, index) => atMs - (ledger.starts[index]?.atMs ?? 0));
    expect(gaps).toEqual([100, 100, 100, 100, 100]);
  });

  test("a tenant with many jobs does not keep another's from starting, nor does it keep slots", async () => {
    const { clock, ledger, outside, enqueue } = await fleet(1, concurrency(1), { slots: 2 });
    await enqueue(ids("a", 500), { tenant: "acme", ms: 60_000 });
    await enqueue(["b"], { tenant: "bolt" });
    await clock.advance("1s");
    expect(ledger.starts.map(({ id }) => id)).toEqual(["a0", "b"]);
    expect(await outside.queues.snapshot(QUEUE)).toMatchObject({
      blocked: 499,
      queued: 0,
      running: 1,
    });
    expect(await outside.findWaiting("a7")).toMatchObject({ state: "blocked" });
  });

  test("the producer's own key goes before the definition's function", async () => {
    const { clock, ledger, enqueue } = await fleet(1, concurrency(1));
    await enqueue(["a", "b"], { tenant: "acme" }, { concurrencyKey: "own" });
    await enqueue(["c"], { tenant: "acme" });
    await clock.advance("50ms");
    expect(ledger.starts.map(({ id }) => id)).toEqual(["a", "c"]);
  });

  test("a key function that can't make anything of the payload makes a dead letter", async () => {
    const { clock, ledger, outside, enqueue } = await fleet(1, concurrency(1));
    await enqueue(["null"], null);
    await enqueue(["number"], { tenant: 7 });
    await enqueue(["long"], { tenant: "x".repeat(257) });
    await enqueue(["good"], { tenant: "acme" });
    await clock.advance("1s");
    expect(ledger.ended).toEqual(["good"]);
    const letters = await outside.deadLetters.list();
    expect(letters.map(({ id, reason }) => [id, reason]).toSorted()).toEqual([
      ["long", "invalid-payload"],
      ["null", "invalid-payload"],
      ["number", "invalid-payload"],
    ]);
    expect(letters.find(({ id }) => id === "null")?.error?.message).toMatch(
      /concurrency\.key: the key function threw.*tenant/,
    );
  });

  test("a killed node's permits come back when their leases are over, and what is blocked is let in", async () => {
    const { clock, ledger, brokers, outside, enqueue } = await fleet(2, concurrency(2), {
      lease: "10s",
    });
    await enqueue(ids("a", 8), { tenant: "acme", ms: 1_000 });
    await clock.advance("500ms");
    expect(ledger.starts).toHaveLength(2);
    brokers[0]?.crashHolder();
    await brokers[0]?.close();
    await clock.advance("40s");
    expect(ledger.most).toBe(2);
    expect(new Set(ledger.starts.map(({ id }) => id))).toEqual(new Set(ids("a", 8)));
    const last = await Promise.all(
      ids("a", 8).map(async (id) => (await outside.history.read({ id })).at(-1)?.state),
    );
    expect(new Set(last)).toEqual(new Set(["succeeded"]));
  });

  test("a node that can't reach the server gives its permits up before they can be another's", async () => {
    const { clock, ledger, brokers, outside, enqueue } = await fleet(2, concurrency(1), {
      lease: "9s",
    });
    await enqueue(["a0"], { tenant: "acme", ms: 20_000 });
    await clock.advance("1s");
    await enqueue(["a1"], { tenant: "acme" });
    await clock.advance("1s");
    const holder = (await outside.whoRuns("a0"))?.node;
    brokers[Number(holder?.slice(1))]?.disconnect();
    await clock.advance("40s");
    expect(ledger.aborted).toEqual(["a0"]);
    expect(ledger.most).toBe(1);
    expect(ledger.ended.includes("a1")).toBe(true);
  });

  test("a stopping node leaves no permit behind, and nobody waits for it", async () => {
    const { clock, ledger, nodes, outside, enqueue } = await fleet(2, concurrency(1));
    await enqueue(ids("a", 3), { tenant: "acme" });
    await clock.advance("50ms");
    const stopped = nodes[0]?.stop();
    await clock.advance("10s");
    await stopped;
    expect(ledger.ended).toHaveLength(3);
    await clock.advance("1s");
    expect(await outside.locks.list("cap/")).toEqual([]);
  });

  test("an operator's limit stands before the definition's, and when it is raised what is blocked is let in", async () => {
    const { clock, ledger, outside, enqueue } = await fleet(2, concurrency(1));
    const controls = await outside.documents(CONTROLS_BUCKET);
    await enqueue(ids("a", 6), { tenant: "acme", ms: 60_000 });
    await clock.advance("1s");
    expect(ledger.starts).toHaveLength(1);
    await controls.put(QUEUE, { perKey: { concurrency: 3 } });
    await clock.advance("11s");
    expect(ledger.starts).toHaveLength(3);
    await controls.put(QUEUE, { perKey: { concurrency: 2 } });
    // Those that run may end, and then there are two.
    await clock.advance("62s");
    expect(ledger.most).toBe(3);
    expect(ledger.starts).toHaveLength(5);
  });

  test("an operator's limit holds for jobs with a key of their own, whatever their definition says", async () => {
    const { clock, ledger, outside, enqueue } = await fleet(2, {});
    const controls = await outside.documents(CONTROLS_BUCKET);
    await controls.put(QUEUE, { perKey: { concurrency: 1 } });
    await clock.advance(0);
    await enqueue(["a", "b"], { tenant: "acme", ms: 5_000 }, { concurrencyKey: "k" });
    await enqueue(["c", "d"], { tenant: "bolt", ms: 5_000 });
    await clock.advance("1s");
    expect(ledger.starts.map(({ id }) => id).toSorted()).toEqual(["a", "c", "d"]);
    await controls.remove(QUEUE);
    await clock.advance("30s");
    expect(ledger.ended.toSorted()).toEqual(["a", "b", "c", "d"]);
  });

  test("where it is taken back all that it kept out are let in within five seconds", async () => {
    const { clock, ledger, outside, enqueue } = await fleet(2, {}, { slots: 50 });
    const controls = await outside.documents(CONTROLS_BUCKET);
    await controls.put(QUEUE, { perKey: { concurrency: 1 } });
    await clock.advance(0);
    await enqueue(ids("a", 40), { tenant: "acme", ms: 60_000 }, { concurrencyKey: "k" });
    await clock.advance("1s");
    expect(ledger.starts).toHaveLength(1);
    await controls.remove(QUEUE);
    await clock.advance("5s");
    expect(ledger.starts).toHaveLength(40);
  });

  test("a blocked job whose ack was lost is recalled: it waits once, and runs once", async () => {
    const { clock, ledger, brokers, outside, enqueue } = await fleet(1, concurrency(1));
    const other = await outside.locks.acquire(permitLock(QUEUE, "acme", 0), {
      holder: "n9 (1 of 1)",
      leaseMs: 60_000,
    });
    brokers[0]?.failNext("ack", new MillraceError("publish-timeout", "no answer"));
    await enqueue(["a"], { tenant: "acme" });
    await clock.advance(0);
    brokers[0]?.loseLeases(QUEUE);
    await clock.advance("1s");
    expect(await outside.queues.snapshot(QUEUE)).toMatchObject({
      blocked: 1,
      queued: 0,
      running: 0,
    });
    await outside.locks.release(other as HeldLock);
    await clock.advance("10s");
    expect(ledger.starts).toHaveLength(1);
    const records = await outside.history.read({ id: "a" });
    expect(records.map(({ outcome }) => outcome)).toEqual(["blocked", "succeeded"]);
  });

  test("blocked jobs are counted", async () => {
    const counted: string[] = [];
    const metrics = { ...noMetrics, increment: (name: string) => void counted.push(name) };
    const { clock, enqueue } = await fleet(1, concurrency(1), { metrics });
    await enqueue(["a", "b"], { tenant: "acme" });
    await clock.advance("50ms");
    expect(counted).toEqual(["millrace_deliveries_total", "millrace_jobs_blocked_total"]);
  });
});
