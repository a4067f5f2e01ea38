import { connectBroker } from "@millrace/broker-nats";
import { expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { enqueue, ids, Ledger, type Payload, QUEUE } from "./tenants.ts";

const byTenant = ({ tenant }: Payload): string => tenant;

describeEachServer("gates", (server) => {
  /** Two nodes with a broker each, and a third broker to enqueue by. */
  async function twoNodes(options: Parameters<Ledger["job"]>[0], slots = 8) {
    const ledger = new Ledger();
    const jobs = [ledger.job(options)];
    const { namespace } = await startNodeOnServer(server, { jobs, name: "n0", slots });
    await startNodeOnServer(server, { jobs, name: "n1", slots, namespace });
    const broker = await connectBroker({ servers: server.url, namespace });
    cleanUpLater(() => broker.close());
    return { ledger, broker, namespace };
  }

  it("caps: no more than the limit run over both nodes, all run once, nothing is left behind", async () => {
    const { ledger, broker } = await twoNodes({ concurrency: { key: byTenant, limit: 2 } });
    const jobs = ids("a", 120);
    await enqueue(broker, jobs, { tenant: "acme / Ünïcode" });
    await eventually(() => new Set(ledger.ended).size >= 120, {
      withinMs: 40_000,
      describe: () => `all have run (${ledger.ended.length})`,
    });
    expect(ledger.most).toBe(2);
    const [first = 0, last = 0] = [ledger.starts[0]?.atMs, ledger.starts.at(-1)?.atMs];
    const perSecond = (ledger.starts.length - 1) / 2 / ((last - first) / 1_000);
    console.log(`${perSecond.toFixed(0)} jobs of 5 ms a second with each permit`);
    const ended = ledger.ended.toSorted();
    // A leader that died with an acknowledgement has a job run again.
    expect(server.deaths.length === 0 ? ended : [...new Set(ended)]).toEqual(jobs.toSorted());
    await eventually(async () => (await broker.blocked.count()) === 0, {
      withinMs: 20_000,
      describe: "none is held back",
    });
    await eventually(async () => (await broker.locks.list("cap/")).length === 0, {
      withinMs: 20_000,
      describe: "the permits are given back",
    });
  });

  it("singletons: one at a time, with tokens in the order of their starts", async () => {
    const { ledger, broker } = await twoNodes({ singleton: true });
    await enqueue(broker, ids("a", 60), { tenant: "all" });
    await eventually(() => new Set(ledger.ended).size >= 60, {
      withinMs: 40_000,
      describe: () => `all have run (${ledger.ended.length})`,
    });
    expect(ledger.most).toBe(1);
    const tokens = ledger.starts.map(({ token }) => token);
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
    // A delivery that a dying leader forgot runs once more, under a token of its own.
    expect(new Set(tokens).size).toBe(server.deaths.length === 0 ? 60 : tokens.length);
  });

  it("rates: a burst, then one after the other, in no stretch more than both together", async () => {
    const { ledger, broker } = await twoNodes({
      rateLimit: { key: byTenant, limit: 5, per: "1s" },
    });
    // It measures a rate, and an election stops everything for seconds.
    await server.calm();
    await enqueue(broker, ids("a", 25), { tenant: "acme", ms: 0 });
    await eventually(() => ledger.ended.length >= 25, {
      withinMs: 20_000,
      describe: () => `all have run (${ledger.ended.length})`,
    });
    const starts = ledger.starts.map(({ atMs }) => atMs).toSorted((a, b) => a - b);
    // Lateness of a busy machine moves starts together; six jobs' worth are allowed for it. Exact
    // in simulated time; two buckets instead of one would double all of it.
    for (let from = 0; from < starts.length; from += 1)
      for (let to = from; to < starts.length; to += 1) {
        const stretchMs = (starts[to] as number) - (starts[from] as number);
        expect(to - from + 1).toBeLessThanOrEqual(5 + stretchMs / 200 + 6);
      }
    expect((starts.at(-1) as number) - (starts[0] as number)).toBeGreaterThan(2_500);
  });

  it("another tenant's job starts while a thousand wait, which keep no slot", async () => {
    const { ledger, broker } = await twoNodes({ concurrency: { key: byTenant, limit: 1 } }, 2);
    await enqueue(broker, ids("a", 1_000), { tenant: "acme", ms: 3_600_000 });
    await enqueue(broker, ["b"], { tenant: "bolt" });
    await eventually(() => ledger.ended.includes("b"), {
      withinMs: 20_000,
      describe: "the other tenant's job has run",
    });
    await eventually(
      async () => {
        const { queued, blocked, running } = await broker.queues.snapshot(QUEUE);
        return queued === 0 && running === 1 && blocked === 999;
      },
      { withinMs: 20_000, describe: "one runs and all others are blocked" },
    );
    expect(await broker.findWaiting("a999")).toMatchObject({ state: "blocked" });
    expect(await broker.blocked.gates()).toEqual([
      { queue: QUEUE, gate: "cap/work/acme", count: 999 },
    ]);
  });
});
