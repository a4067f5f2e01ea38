import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { connectBroker } from "@millrace/broker-nats";
import { defineJob, type Logger, silentLogger } from "@millrace/core";
import { expect, it, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { idleStretches, type Life } from "../reliability/oracle/alive.ts";
import { enqueue, ids, QUEUE } from "./tenants.ts";

vi.setConfig({ testTimeout: patient(180_000) });

const TENANTS = ["acme", "bolt", "core", "dune"];
const JOBS = 60;
/** What is promised where the machine itself does not stand still. */
const PROMISED_MS = 250;
/**
 * That is seen by probes, which may miss some moments. A key that waits for something, and not for
 * the machine, does so again and again: with every release that nobody hears it stands still until
 * the next sweep, 1.5 s later, and each key has dozens of them. Or it waits for a lease.
 */
const ONCE_MS = 3_000;
const MISSED = 6;
/**
 * From one job's end to the next's start: record, ack, look for the oldest, publish, its delivery,
 * take over. Where the machine stands still itself each of them takes as long as a question to the
 * server takes at that moment, which is measured beside it.
 */
const STEPS = 6;
const BURNERS = 2;

interface Probe {
  readonly atMs: number;
  readonly tookMs: number;
}

describeEachServer("capped keys on a busy machine", (server) => {
  it("never stand still while jobs of theirs wait", async () => {
    const namespace = server.namespace();
    const lives = new Map<string, Life[]>(TENANTS.map((tenant) => [tenant, []]));
    const jobs = [
      defineJob<{ tenant: string }, { tenant: string }, void>({
        name: "t",
        queue: QUEUE,
        concurrency: { key: ({ tenant }) => tenant, limit: 2 },
      }).handler(async ({ job, input, token, node }) => {
        const fromMs = performance.now();
        await pause(5);
        const untilMs = performance.now();
        lives.get(input.tenant)?.push({ id: job.id, token, process: node, fromMs, untilMs });
      }),
    ];
    const troubles: unknown[] = [];
    const trouble = (fields: object, message: string): void =>
      void troubles.push({ message, ...fields });
    const log: Logger = { ...silentLogger, warn: trouble, error: trouble, child: () => log };
    for (const name of ["n0", "n1", "n2"])
      await startNodeOnServer(server, { namespace, name, jobs, slots: 4, log });
    const broker = await connectBroker({ servers: server.url, namespace });
    cleanUpLater(() => broker.close());
    // It measures how long nothing happens, and in an election nothing does.
    await server.calm();
    const burners = Array.from({ length: BURNERS }, () => new Worker(BURN, { eval: true }));
    cleanUpLater(async () => {
      await Promise.all(burners.map((burner) => burner.terminate()));
    });

    for (const tenant of TENANTS) await enqueue(broker, ids(`${tenant}-`, JOBS), { tenant });
    const ran = (): number => [...lives.values()].reduce((sum, { length }) => sum + length, 0);
    const probes: Probe[] = [];
    let isOver = false;
    const probing = (async () => {
      while (!isOver) {
        const atMs = performance.now();
        await broker.ping();
        probes.push({ atMs, tookMs: performance.now() - atMs });
        await pause(10);
      }
    })();
    await eventually(() => ran() >= TENANTS.length * JOBS, {
      withinMs: patient(120_000),
      describe: () => `all have run (${ran()})`,
    });
    isOver = true;
    await probing;

    // A race over a blocked job that is lost is no trouble.
    expect(troubles.filter((said) => JSON.stringify(said).includes("blocked job"))).toEqual([]);
    for (const [tenant, runs] of lives) {
      const idle = idleStretches(runs).map(({ fromMs, untilMs }) => ({
        idleMs: Math.round(untilMs - fromMs),
        mostMs: Math.round(PROMISED_MS + STEPS * slowest(probes, fromMs, untilMs)),
      }));
      const longest = idle.toSorted((a, b) => b.idleMs - a.idleMs)[0];
      console.log(`${tenant}: ${JSON.stringify(longest)} over ${runs.length} runs`);
      const late = idle.filter(({ idleMs, mostMs }) => idleMs > mostMs);
      expect(late.filter(({ idleMs }) => idleMs > ONCE_MS)).toEqual([]);
      expect(late.slice(MISSED)).toEqual([]);
    }
  });
});

/** Keeps a core busy. Ended by the test, and by itself after two minutes. */
const BURN = "for (const until = Date.now() + 120_000; Date.now() < until;);";

function slowest(probes: readonly Probe[], fromMs: number, untilMs: number): number {
  const beside = probes.filter(({ atMs, tookMs }) => atMs < untilMs && atMs + tookMs > fromMs);
  return Math.max(0, ...beside.map(({ tookMs }) => tookMs));
}
