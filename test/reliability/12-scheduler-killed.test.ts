import { expect, it } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { lasting, patient } from "../harness/cluster/mode.ts";
import { describeEachServer } from "../harness/servers.ts";
import { expectEverySecond, Fleet, ticksOf } from "../scheduler/fleet.ts";
import { readRecords } from "./harness/records.ts";
import { TICK_POINTS } from "../scheduler/program-config.ts";

const EVERY_SECOND = { name: "it", cron: "* * * * * *", missed: { all: 1_000 } } as const;
const DEDUPE_MS = 100;
/** More with `SCHEDULER_ROUNDS`: each is a death at every point. */
const ROUNDS = Number(process.env["SCHEDULER_ROUNDS"] ?? "1");

describeEachServer("12: the leader of the schedules", (server) => {
  it(
    "killed at every point of a tick: each tick is enqueued exactly once, and none is missing",
    async () => {
      const fleet = await Fleet.start(server, [EVERY_SECOND]);
      const strikes = Array.from({ length: ROUNDS }, () => TICK_POINTS).flat();
      const [first, ...others] = strikes.map((at) => ({ at, signal: "SIGKILL" }) as const);
      let leader = await fleet.node(first === undefined ? {} : { strike: first });
      for (const strike of [...others, undefined]) {
        // The last one is not struck: with the lead from an election it would keep the one before
        // it from being.
        if (strike === undefined) await server.calm();
        // The next one stands by when the leader dies.
        const next = await fleet.node(strike === undefined ? {} : { strike });
        expect((await fleet.told(leader.exit(90_000))).signal).toBe("SIGKILL");
        await fleet.told(next.heard("fired"));
        leader = next;
      }
      await fleet.told(leader.heard("fired"));
      const count = expectEverySecond(ticksOf(await fleet.finish(), "it"), "it");
      console.log(`${strikes.length} leaders died, ${count} ticks`);
    },
    patient(180_000 + ROUNDS * 60_000),
  );

  it(
    "frozen for two leases, right before it publishes and anywhere: it enqueues nothing twice",
    async () => {
      const fleet = await Fleet.start(server, [EVERY_SECOND]);
      const a = await fleet.node({ strike: { at: "after-intent", signal: "SIGSTOP" } });
      await a.struck();
      await a.heard("leading", ({ leading }) => leading);
      const b = await fleet.node();
      await b.heard("leading", ({ leading }) => leading);
      await eventuallyFired(fleet, 2);
      a.signal("SIGCONT");
      await a.heard("leading", ({ leading }) => !leading);

      await b.freeze();
      await a.heard("leading", ({ leading }) => leading);
      await eventuallyFired(fleet, 2);
      b.signal("SIGCONT");
      await b.heard("leading", ({ leading }) => !leading);
      await eventuallyFired(fleet, 2);
      const records = await fleet.finish();
      expectEverySecond(ticksOf(records, "it"), "it");
    },
    patient(180_000),
  );

  it(
    "frozen between its last look at the lock and the publish, past the dedupe window: what it publishes then is dropped",
    async () => {
      // What an election makes be published again would be past the window too.
      await server.calm();
      const fleet = await Fleet.start(server, [EVERY_SECOND], { dedupeWindowMs: DEDUPE_MS });
      const a = await fleet.node({ strike: { at: "before-publish", signal: "SIGSTOP" } });
      await a.struck();
      const b = await fleet.node();
      await b.heard("leading", ({ leading }) => leading);
      // The first tick of `a` ended; at the second it was frozen, and the new leader made that up.
      await eventually(
        async () => {
          const [, madeUp] = await readRecords(server.url, fleet.namespace);
          return madeUp !== undefined && Date.now() - madeUp.at > 10 * DEDUPE_MS;
        },
        {
          withinMs: 30_000,
          everyMs: 100,
          describe: () => `the window has passed; the nodes said\n${fleet.lastWords()}`,
        },
      );
      a.signal("SIGCONT");
      await a.heard("leading", ({ leading }) => !leading);
      // Nothing was killed, so no other job is delivered twice.
      const { id } = await Promise.any([a.heard("dropped"), b.heard("dropped")]);
      const records = await fleet.finish();
      expect(records.filter((record) => record.id === id)).toMatchObject([{ state: "succeeded" }]);
      expectEverySecond(ticksOf(records, "it"), "it");
    },
    patient(180_000),
  );

  it(
    "killed while another stands by: the next tick comes when its lease is over",
    async () => {
      const fleet = await Fleet.start(server, [EVERY_SECOND]);
      // An election outlasts the lease, and gives the lead to whoever is first after it.
      await server.calm();
      let leader = await fleet.node();
      const failovers: number[] = [];
      for (let kill = 0; kill < 3; kill += 1) {
        const next = await fleet.node();
        await leader.heard("fired");
        leader.signal("SIGKILL");
        const diedAt = performance.now();
        await next.heard("fired");
        failovers.push(Math.round(performance.now() - diedAt));
        leader = next;
      }
      console.log(
        `from a death to the next tick: ${failovers.join(", ")} ms, of a lease of ${fleet.leaseMs} ms`,
      );
      // A lease, the tick itself, and what a busy machine adds.
      expect(Math.max(...failovers)).toBeLessThan(patient(fleet.leaseMs + 10_000));
      expectEverySecond(ticksOf(await fleet.finish(), "it"), "it");
    },
    patient(180_000),
  );

  it(
    "an outage over several ticks: what was missed is left out, made up for once, or made up for in part",
    async () => {
      // Three copies of each bucket take their time to be made: the first tick is no outage of its
      // own.
      const lateAfterMs = lasting(3_000);
      const timing = { cron: "* * * * * *", lateAfter: lateAfterMs } as const;
      const fleet = await Fleet.start(server, [
        { ...timing, name: "skip", missed: "skip" },
        { ...timing, name: "once", missed: "once" },
        { ...timing, name: "some", missed: { all: 3 } },
      ]);
      // A tick that an election interrupts is finished late by the next leader; and what it makes
      // up for may be too late by then.
      await server.calm();
      const a = await fleet.node();
      for (const name of ["skip", "once", "some"])
        await a.heard("fired", ({ schedule }) => schedule === name);
      await a.kill();
      const diedAt = Date.now();
      const outageMs = lateAfterMs + 5_000;
      await eventually(() => Date.now() - diedAt >= outageMs, {
        withinMs: outageMs + 12_000,
        describe: `${outageMs / 1_000} ticks have passed`,
      });
      const b = await fleet.node();
      for (const [name, kept] of Object.entries({ skip: 0, once: 1, some: 3 })) {
        const { at, upTo, count } = await b.heard("skipped", ({ schedule }) => schedule === name);
        expect(count).toBeGreaterThan(0);
        // What is late is known at the decision. While that is carried out, time goes on and
        // another tick may become late, so what was counted later says nothing.
        expect([name, lateTicks(upTo, at - lateAfterMs)]).toEqual([name, kept]);
        await b.heard("fired", ({ schedule, lateMs }) => schedule === name && lateMs < 1_000);
      }
      const records = await fleet.finish();
      // What no decision left out has run.
      for (const [name, count] of Object.entries(await fleet.skipped())) {
        const ticks = ticksOf(records, name);
        const all = ((ticks.at(-1) ?? 0) - (ticks[0] ?? 0)) / 1_000 + 1;
        expect([name, all - ticks.length]).toEqual([name, count]);
      }
    },
    patient(180_000),
  );
});

async function eventuallyFired(fleet: Fleet, more: number): Promise<void> {
  const fired = async (): Promise<number> => (await fleet.client.cron.list())[0]?.state.fired ?? 0;
  const before = await fired();
  await eventually(async () => (await fired()) >= before + more, {
    withinMs: 30_000,
    everyMs: 100,
    describe: () => `${more} more ticks are enqueued; the nodes said\n${fleet.lastWords()}`,
  });
}

/** How many ticks of a per-second schedule lie after one and before a moment. */
function lateTicks(after: number, before: number): number {
  return Math.max(0, Math.ceil((before - after) / 1_000) - 1);
}
