import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type Millrace } from "millrace";
import { defineJob } from "@millrace/core";
import { expect, onTestFinished, test, vi } from "vitest";
import { startChild, type TestChild } from "../harness/child.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { ledgerNowMs } from "../reliability/oracle/ledger-entry.ts";
import { readLedger } from "../reliability/oracle/ledger-file.ts";
import { mostAlive, spans, type Stopped } from "./alive.ts";
import type { FleetNode } from "./fleet-node.ts";

const LEASE_MS = 3_000;
const PROGRAM = join(import.meta.dirname, "fleet-program.ts");
const work = defineJob<number>({ name: "work", queue: "work" });
vi.setConfig({ testTimeout: patient(180_000) });

class Fleet {
  readonly namespace: string;
  readonly ledger = mkdtempSync(join(tmpdir(), "millrace-cap-"));
  readonly client: Millrace;
  readonly stopped: Stopped[] = [];
  readonly #server: TestServer;

  private constructor(server: TestServer, namespace: string, client: Millrace) {
    this.#server = server;
    this.namespace = namespace;
    this.client = client;
  }

  static async start(server: TestServer): Promise<Fleet> {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    const fleet = new Fleet(server, namespace, client);
    onTestFinished(async () => {
      await client.close();
      rmSync(fleet.ledger, { recursive: true });
    });
    await client.queues.ensure("work");
    return fleet;
  }

  async node(name: string, slots: number): Promise<TestChild> {
    const { namespace, ledger } = this;
    const config: FleetNode = {
      servers: this.#server.url,
      namespace,
      name,
      ledger,
      leaseMs: LEASE_MS,
      slots,
    };
    const child = startChild(PROGRAM, { args: [JSON.stringify(config)] });
    await child.message(isReady, 90_000);
    return child;
  }

  async enqueue(count: number, ms: number): Promise<void> {
    const items = Array.from({ length: count }, () => ({ input: ms }));
    for (const result of await this.client.enqueueMany(work, items)) expect(result.ok).toBe(true);
  }

  async holders(): Promise<Record<string, number>> {
    const [limits] = await this.client.queues.limits("work");
    return Object.fromEntries(
      (limits?.concurrency?.holders ?? []).map(({ holder, count }) => [holder, count]),
    );
  }

  async permits(): Promise<number> {
    return (await this.client.broker.locks.list("queue-cap/work/")).length;
  }

  async drained(withinMs: number): Promise<void> {
    await eventually(
      async () => {
        const { queued, running, delayed } = await this.client.queues.snapshot("work");
        return queued + running + delayed === 0;
      },
      { withinMs, describe: "every job has ended", everyMs: 100 },
    );
  }

  /**
   * It can do nothing from now on.
   * @param countedMs for how long it counts as at work all the same
   * @returns now
   */
  stops(process: string, countedMs = 0): number {
    const atMs = ledgerNowMs();
    this.stopped.push({ process, atMs: atMs + countedMs });
    return atMs;
  }

  spans() {
    return spans(readLedger(this.ledger), this.stopped);
  }
}

function isReady(message: unknown): message is { readonly say: "ready" } {
  return (message as { readonly say?: unknown }).say === "ready";
}

describeEachServer("a queue's cap over several processes", (server) => {
  test("with nodes killed and frozen there are never more than the cap alive, and their permits return", async () => {
    const cap = 5;
    const fleet = await Fleet.start(server);
    await fleet.client.queues.set("work", { concurrency: cap });
    const [a, b] = await Promise.all([fleet.node("a", 3), fleet.node("b", 3), fleet.node("c", 3)]);
    // Each idle node takes one. With work for all, whoever is first may have them all until the
    // work is done.
    await eventually(async () => Object.keys(await fleet.holders()).length === 3, {
      withinMs: 20_000,
      describe: "each node has a permit",
    });
    // Permits and leases of three seconds don't outlast an election; and a node that starts in one
    // finds the work done.
    await server.calm();
    await fleet.enqueue(250, 200);
    await eventually(async () => sum(await fleet.holders()) === cap, {
      withinMs: 20_000,
      describe: "all permits are in use",
    });

    a.signal("SIGKILL");
    await a.exited;
    const killedAt = fleet.stops("a");
    await eventually(
      async () => {
        const holders = await fleet.holders();
        return (holders["a"] ?? 0) === 0 && sum(holders) === cap;
      },
      { withinMs: LEASE_MS + 1_000, describe: "the killed node's permits are in use again" },
    );
    console.log(`permits were back ${Math.round(ledgerNowMs() - killedAt)} ms after the kill`);

    await b.freeze();
    // Until its permits can have passed to others it counts as at work, though it can do nothing: a
    // lease from the last renewal, which is due every third of one, and on a busy machine may have
    // come as much later.
    const frozenAt = fleet.stops("b", LEASE_MS / 3);
    const d = await fleet.node("d", 5);
    await eventually(
      async () => {
        const holders = await fleet.holders();
        return (holders["b"] ?? 0) === 0 && sum(holders) === cap;
      },
      {
        withinMs: Math.max(1_000, frozenAt + LEASE_MS + 1_000 - ledgerNowMs()),
        describe: "the frozen node's permits are in use again",
      },
    );
    b.signal("SIGCONT");
    await fleet.drained(60_000);
    expect(d.pid).toBeGreaterThan(0);

    const all = fleet.spans();
    expect(mostAlive(all)).toBe(cap);
    // A handler that wakes with its process may get to its end before it is told; whatever it says,
    // nothing is settled by it.
    const ids = new Set(all.map(({ id }) => id));
    expect(ids.size).toBe(250);
    for (const id of ids) {
      const records = await fleet.client.broker.history.read({ id, queue: "work" });
      expect(records.filter(({ state }) => state === "succeeded")).toHaveLength(1);
    }
  });

  test("can be lowered and raised while jobs run", async () => {
    const fleet = await Fleet.start(server);
    await fleet.client.queues.set("work", { concurrency: 6 });
    // Permits of three seconds don't outlast an election, and a change that is heard of seconds
    // late finds the work done.
    await server.calm();
    await Promise.all([fleet.node("a", 8), fleet.node("b", 8)]);
    await fleet.enqueue(600, 50);
    await reaches(fleet, 6, 0);
    const loweredAt = ledgerNowMs();
    await fleet.client.queues.set("work", { concurrency: 2 });
    // Jobs that ran when it was lowered go on, and their permits are held until then.
    await eventually(async () => (await fleet.permits()) === 2, {
      withinMs: 20_000,
      describe: "the permits above the new cap have gone back",
    });
    const lowAt = ledgerNowMs();
    await reaches(fleet, 2, lowAt);
    const raisedAt = ledgerNowMs();
    await fleet.client.queues.set("work", { concurrency: 12 });
    await reaches(fleet, 12, raisedAt);
    await fleet.drained(60_000);
    const all = fleet.spans();
    expect(mostAlive(all, 0, loweredAt)).toBe(6);
    expect(mostAlive(all, lowAt, raisedAt)).toBe(2);
    expect(mostAlive(all, raisedAt)).toBe(12);
  });
});

async function reaches(fleet: Fleet, alive: number, sinceMs: number): Promise<void> {
  await eventually(() => mostAlive(fleet.spans(), sinceMs) === alive, {
    withinMs: 30_000,
    describe: `${alive} jobs run at once`,
  });
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}
