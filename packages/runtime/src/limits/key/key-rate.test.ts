import { CONTROLS_BUCKET } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { fleet, ids, type Payload, QUEUE } from "../../fixtures/tenants.ts";

const rateLimit = (limit: number, per: "1s" | "10s" | "1m" | "1h") => ({
  rateLimit: { key: ({ tenant }: Payload) => tenant, limit, per },
});

describe("a rate for each key, over all nodes", () => {
  test.each([1, 2, 3])(
    "with %i nodes: a burst at once, then one after the other, each at its time",
    async (nodes) => {
      const { clock, ledger, outside, enqueue } = await fleet(nodes, rateLimit(4, "10s"), {
        slots: 3,
      });
      const from = clock.now();
      await enqueue(ids("a", 12), { tenant: "acme", ms: 0 });
      await enqueue(["b"], { tenant: "bolt", ms: 0 });
      await clock.advance("30s");
      const starts = ledger.starts
        .filter(({ tenant }) => tenant === "acme")
        .map(({ atMs }) => atMs - from);
      expect(starts).toHaveLength(12);
      for (const [index, at] of starts.toSorted((a, b) => a - b).entries())
        expect(Math.abs(at - Math.max(0, (index - 3) * 2_500))).toBeLessThanOrEqual(5);
      expect(ledger.starts.find(({ id }) => id === "b")?.atMs).toBe(from);
      // A job that comes back at its time does not ask again: it was deferred once at the most.
      for (const id of ids("a", 12)) {
        const records = await outside.history.read({ id });
        expect(records.at(-1)).toMatchObject({ state: "succeeded", attempts: 1 });
        expect(records.length).toBeLessThanOrEqual(2);
      }
    },
  );

  test("what can't start within a minute is blocked, and let in as its time comes nearer", async () => {
    const { clock, ledger, outside, enqueue } = await fleet(2, rateLimit(1, "10s"));
    const from = clock.now();
    await enqueue(ids("a", 40), { tenant: "acme", ms: 0 });
    await clock.advance("1s");
    const [gate] = await outside.blocked.gates();
    expect(gate).toMatchObject({ gate: "rate/work/acme" });
    expect(gate?.count).toBe(40 - 7);
    await clock.advance("7m");
    const starts = ledger.starts.map(({ atMs }) => atMs - from).toSorted((a, b) => a - b);
    expect(starts).toHaveLength(40);
    for (const [index, at] of starts.entries())
      expect(Math.abs(at - index * 10_000)).toBeLessThanOrEqual(25);
    expect(await outside.blocked.count()).toBe(0);
    const records = await outside.history.read({ id: "a39" });
    expect(records.at(-1)).toMatchObject({ state: "succeeded", attempts: 1 });
  });

  test("a node keeps nothing of keys that nobody asks for, and they owe what they owe all the same", async () => {
    const { clock, ledger, outside, enqueue } = await fleet(1, rateLimit(1, "1h"));
    await enqueue(["first"], { tenant: "acme", ms: 0 });
    await clock.advance("5m");
    const before = clock.pending;
    for (let n = 0; n < 100; n += 1) await enqueue([`t${n}`], { tenant: `tenant ${n}`, ms: 0 });
    expect(clock.pending).toBeGreaterThan(before + 50);
    await clock.advance("5m");
    expect(ledger.starts).toHaveLength(101);
    expect(clock.pending).toBeLessThanOrEqual(before);
    await enqueue(["second"], { tenant: "acme", ms: 0 });
    await clock.advance("1m");
    expect(ledger.starts).toHaveLength(101);
    expect(await outside.blocked.count()).toBe(1);
    await clock.advance("1h");
    expect(ledger.starts.map(({ id }) => id).at(-1)).toBe("second");
  });

  test("each attempt takes a start of its own", async () => {
    const { clock, ledger, enqueue } = await fleet(1, {
      ...rateLimit(1, "10s"),
      timeout: "1s",
      retry: { attempts: 3, backoff: "fixed", base: "1s", jitter: false },
    });
    const from = clock.now();
    await enqueue(["a"], { tenant: "acme", ms: 5_000 });
    await clock.advance("40s");
    expect(ledger.starts.map(({ atMs }) => Math.round((atMs - from) / 1_000))).toEqual([0, 10, 20]);
  });

  test("a producer can't forge a place", async () => {
    const { clock, ledger, enqueue } = await fleet(1, rateLimit(1, "1h"));
    await enqueue(["a"], { tenant: "acme", ms: 0 });
    await enqueue(["b"], { tenant: "acme", ms: 0 }, { generation: 1, reservedAt: 1 });
    await clock.advance("1s");
    expect(ledger.starts.map(({ id }) => id)).toEqual(["a"]);
  });

  test("nodes whose clocks are ten minutes fast and slow keep to the same rate", async () => {
    const { clock, ledger, enqueue } = await fleet(
      2,
      rateLimit(1, "10s"),
      { slots: 1 },
      [600_000, -600_000],
    );
    const from = clock.now();
    await enqueue(ids("a", 6), { tenant: "acme", ms: 0 });
    await clock.advance("2m");
    const starts = ledger.starts.map(({ atMs }) => atMs - from).toSorted((a, b) => a - b);
    expect(starts.map((at) => Math.round(at / 1_000))).toEqual([0, 10, 20, 30, 40, 50]);
  });

  test("a key that is not used any more leaves no document", async () => {
    const { clock, outside, enqueue } = await fleet(2, rateLimit(2, "10s"));
    await enqueue(["a", "b"], { tenant: "acme", ms: 0 });
    await clock.advance("1s");
    const documents = await outside.documents("rates");
    expect(await documents.list()).toHaveLength(1);
    await clock.advance("5m");
    expect(await documents.list()).toEqual([]);
  });

  test("what a node that stopped has left of keys is erased by another one", async () => {
    const { clock, outside, enqueue } = await fleet(2, rateLimit(2, "10s"));
    const documents = await outside.documents("rates");
    const paidAt = (paidAtMs: number) => ({ limit: 2, perMs: 10_000, paidAtMs });
    for (let key = 0; key < 1_200; key += 1)
      await documents.put(`work.gone${key}`, paidAt(clock.now() + 20_000), 0);
    await documents.put("work.owing", paidAt(clock.now() + 3_600_000), 0);
    await enqueue(["a"], { tenant: "acme", ms: 0 });
    await clock.advance("11m");
    expect((await documents.list()).map(({ key }) => key)).toEqual(["work.owing"]);
  });

  test("a rate that is raised at run time lets in sooner what is blocked", async () => {
    const { clock, ledger, outside, enqueue } = await fleet(2, rateLimit(1, "1m"));
    await enqueue(ids("a", 30), { tenant: "acme", ms: 0 });
    await clock.advance("1s");
    expect(ledger.starts).toHaveLength(1);
    const controls = await outside.documents(CONTROLS_BUCKET);
    await controls.put(QUEUE, { perKey: { rate: { limit: 10, perMs: 1_000 } } });
    // What has its place already keeps it: one job, in the next minute.
    await clock.advance("70s");
    expect(ledger.starts).toHaveLength(30);
  });

  test.each<[what: string, perKey: object | undefined]>([
    ["raised", { rate: { limit: 100, perMs: 60_000 } }],
    ["taken back", undefined],
  ])(
    "an operator's rate of one a day that is %s lets in what it kept out",
    async (_what, perKey) => {
      const { clock, ledger, outside, enqueue } = await fleet(2, {}, { slots: 50 });
      const controls = await outside.documents(CONTROLS_BUCKET);
      await controls.put(QUEUE, { perKey: { rate: { limit: 1, perMs: 86_400_000 } } });
      await clock.advance(0);
      await enqueue(ids("a", 30), { tenant: "acme", ms: 0 }, { concurrencyKey: "k" });
      await clock.advance("1s");
      expect(ledger.starts).toHaveLength(1);
      if (perKey === undefined) await controls.remove(QUEUE);
      else await controls.put(QUEUE, { perKey });
      await clock.advance("70s");
      expect(ledger.starts).toHaveLength(30);
    },
  );
});
