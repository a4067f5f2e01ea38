import { describe, expect, it } from "vitest";
import { DividedCluster } from "../harness/cluster/divided-cluster.ts";
import { leaderAsKnownTo } from "../harness/cluster/members.ts";
import { patient, REPLICAS } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";
import { fence } from "./oracle/fence.ts";
import { type LedgerEntry, ledgerNowMs } from "./oracle/ledger-entry.ts";

const JOBS = 200;
/** Longer than a busy machine keeps a member of a cluster of three from an extension. */
const LEASE_MS = 6_000;
/** Longer than an election and a lease. */
const PARTED_MS = 15_000;
const NAMESPACE = "parted";
const STREAM = `${NAMESPACE}-queue-work`;

for (const target of serversUnderTest()) {
  const title = `8: the leader of a queue cut off from its cluster under load (${nameOf(target)})`;
  describe.skipIf(target.state === "missing")(title, () => {
    it(
      "nodes and producers on both sides: nothing is lost, nothing ends twice",
      async () => {
        if (target.state === "missing") return;
        const cluster = await DividedCluster.launch(target.path);
        const trial = await Trial.start({
          url: cluster.urls.join(","),
          replicas: REPLICAS,
          namespace: () => NAMESPACE,
          partitions: cluster.partitions,
        });
        const isolated = await cluster.leaderOf(STREAM);
        const others = cluster.others(isolated);
        const elsewhere = others.map(({ url }) => url).join(",");
        const here = await trial.node("here", { servers: isolated.url, leaseMs: LEASE_MS });
        await trial.publish({ long: { do: "hold", deliveries: 60 } });
        await here.heard("started", "long");
        const there = await trial.node("there", { servers: elsewhere, leaseMs: LEASE_MS });
        // Where it runs again, nothing holds it.
        there.release("long");
        await cluster.haveLead(isolated, STREAM);
        await cluster.haveLead(isolated, STREAM, "workers");
        // More than the nodes can do, so that jobs wait when the partition begins.
        const load = { jobs: JOBS, batch: 20, failEvery: 10, workMs: 200, pauseMs: 300 };
        const producers = [
          trial.producer("from-here", { ...load, servers: isolated.url }),
          trial.producer("from-there", { ...load, servers: elsewhere }),
        ];
        await Promise.all(producers.map((producer) => producer.message(hasConfirmed(100), 30_000)));

        const heal = cluster.isolate(isolated, "blackhole", LEASE_MS);
        const partedMs = ledgerNowMs();
        await there.heard("ended", "long");
        const ranAgainMs = ledgerNowMs();
        await eventually(() => ledgerNowMs() - partedMs >= PARTED_MS, {
          withinMs: 20_000 + 3 * PARTED_MS,
          describe: "the partition has lasted",
        });
        for (const member of others)
          expect(await leaderAsKnownTo(member, STREAM)).not.toBe(isolated.name);
        const healMs = ledgerNowMs();
        await heal();
        // The first run ends now, the second long since: a fence tells them apart, and the outcome
        // is one.
        here.release("long");
        await here.heard("settled", "long");
        for (const producer of producers)
          expect(await producer.exit(180_000)).toEqual({ code: 0, signal: null });
        await trial.drained(120_000);

        const during = (event: LedgerEntry["event"], node: string): readonly LedgerEntry[] =>
          trial.ledger.filter(
            (entry) =>
              entry.event === event &&
              entry.process === node &&
              entry.atMs > partedMs &&
              entry.atMs < healMs,
          );
        const counts = await trial.expectClean();
        const refused = fence(trial.ledger).refused.map(
          ({ effect: { id, process } }) => `${process} ${id}`,
        );
        console.log(
          `${during("started", "here").length} runs began on the isolated side and ${during("started", "there").length} on the other; ${during("aborted", "here").length} and ${during("aborted", "there").length} were told that their leases were lost; a job that ran on the isolated side had run again ${Math.round(ranAgainMs - partedMs)} ms after the partition; ${counts.repeats} of ${counts.runs} runs were repeats; refused effects: ${refused.join(", ")}`,
        );
        expect(refused).toContain("here long");
        expect(during("started", "there").length).toBeGreaterThan(0);
        const all = 2 * JOBS + 1;
        expect(counts).toMatchObject({ confirmed: all, succeeded: all, dead: 0 });
        // A record is there as often as it was sent, and says the same each time.
        const ends = Map.groupBy(
          (await trial.records()).filter(({ state }) => state !== "requeued"),
          ({ id }) => id,
        );
        expect(ends.size).toBe(all);
        for (const [id, records] of ends) {
          const outcomes = new Set(records.map(({ state, attempts }) => `${state} ${attempts}`));
          expect({ id, outcomes: [...outcomes] }).toEqual({
            id,
            outcomes: [expect.stringMatching(/^succeeded [12]$/)],
          });
        }
      },
      patient(400_000),
    );
  });
}

function hasConfirmed(count: number) {
  return (said: unknown): said is { readonly confirmed: number } =>
    (said as { readonly confirmed: number }).confirmed >= count;
}
