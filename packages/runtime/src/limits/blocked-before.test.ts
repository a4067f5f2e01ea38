import { CONTROLS_BUCKET, MillraceError } from "@millrace/core";
import { MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { simulatedNode } from "../fixtures/simulated-node.ts";
import { Ledger, type Payload, QUEUE, tenantJob } from "../fixtures/tenants.ts";
import { permitLock, payloadSingletonLock } from "./gate-names.ts";

const NO_ANSWER = new MillraceError("publish-timeout", "no answer");
const key = ({ tenant }: Payload): string => tenant;
const LONG_MS = 3_600_000;

/**
 * A node blocks a job and dies before that is on record; then it has its lease run out, and another
 * node gets it.
 */
test.each([
  ["a cap", { concurrency: { key, limit: 1 } }, permitLock(QUEUE, "acme", 0)],
  ["a singleton", { singleton: { key } }, payloadSingletonLock("acme")],
  ["a rate", { rateLimit: { key, limit: 1, per: "2m" } }, "other"],
] as const)(
  "%s: a job whose holder died once it was blocked and before its record runs once",
  async (_, options, lockName) => {
    const clock = new SimulatedClock();
    const server = new MemoryServer(clock);
    const ledger = new Ledger();
    const jobs = [tenantJob(clock, ledger, options)];
    const first = await simulatedNode({ jobs, clock, server });
    const lock = await first.broker.locks.acquire(lockName, { holder: "x", leaseMs: LONG_MS });
    if (lock === undefined) throw new Error("the lock is taken");
    // Of a rate, it uses up the one start; of the others, another key's.
    await first.enqueue("t", { tenant: "rateLimit" in options ? "acme" : "bolt", ms: 0 });
    first.broker.failNext("record", NO_ANSWER);
    await first.enqueue("t", { tenant: "acme", ms: 0 }, { id: "blocked" });
    expect(await first.broker.blocked.count()).toBe(1);
    first.broker.crashHolder();

    const second = await simulatedNode({ jobs, clock, server, name: "n2" });
    // What kept it waiting is gone when it comes again.
    await second.broker.locks.release(lock);
    const controls = await second.broker.documents(CONTROLS_BUCKET);
    if ("rateLimit" in options)
      await controls.put(QUEUE, { perKey: { rate: { limit: 10, perMs: 1_000 } } });
    await clock.advance("5m");
    expect(ledger.starts.filter(({ id }) => id === "blocked")).toHaveLength(1);
    const records = await second.history("blocked");
    expect(records.at(-1)).toMatchObject({ generation: 1, state: "succeeded" });
    expect(await second.broker.blocked.count()).toBe(0);
  },
);
