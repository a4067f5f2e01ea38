import { describe, expect, it } from "vitest";
import { DividedCluster } from "../harness/cluster/divided-cluster.ts";
import { leaderAsKnownTo } from "../harness/cluster/members.ts";
import { patient, REPLICAS } from "../harness/cluster/mode.ts";
import { untilAnswered } from "../harness/cluster/until-answered.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";
import { Holders } from "../locks/holder.ts";
import { IsolatedClient } from "./harness/isolated-client.ts";
import { Trial } from "./harness/trial.ts";
import { aliveOverTime, livesOf } from "./oracle/alive.ts";
import { ledgerNowMs } from "./oracle/ledger-entry.ts";

/** Longer than an election, so that what keeps the others waiting is the lease. */
const LEASE_MS = 12_000;
const NAMESPACE = "parted";
const LOCKS = `KV_${NAMESPACE}-locks`;
const CLAIMS = `KV_${NAMESPACE}-unique`;

for (const target of serversUnderTest()) {
  const title = `8: the leader of the locks cut off from its cluster (${nameOf(target)})`;
  describe.skipIf(target.state === "missing")(title, () => {
    // Packets that vanish are the harder case, and elections take their time: one generation is
    // enough for the other.
    it.each(
      target.generation === "newest" ? (["blackhole", "cut"] as const) : (["blackhole"] as const),
    )(
      "holders on its side give up before others have the locks, and no write is believed without a majority (%s)",
      async (how) => {
        if (target.state === "missing") return;
        const cluster = await DividedCluster.launch(target.path);
        const place = {
          url: cluster.urls.join(","),
          replicas: REPLICAS,
          namespace: () => NAMESPACE,
          partitions: cluster.partitions,
        };
        const trial = await Trial.start(place);
        // This makes the bucket, whose first leader may be replaced at once on a busy machine.
        const nobody = { holder: "nobody", leaseMs: LEASE_MS };
        await untilAnswered(() => trial.broker.locks.acquire("first", nobody));
        const isolated = await cluster.leaderOf(LOCKS);
        const others = cluster.others(isolated);
        const elsewhere = others.map(({ url }) => url).join(",");
        const holders = new Holders(place, LEASE_MS);
        const a = await holders.start("a", { servers: isolated.url });
        const first = await a.heard("held");
        const b = await holders.start("b", { servers: elsewhere });
        const asNode = { leaseMs: LEASE_MS, singleton: true };
        const nodeA = await trial.node("node-a", { ...asNode, servers: isolated.url });
        await trial.publish({ first: { do: "hold", deliveries: 1, heed: true } });
        const ran = await nodeA.heard("started", "first");
        const nodeB = await trial.node("node-b", { ...asNode, servers: elsewhere });
        // Where it runs again, nothing holds it.
        nodeB.release("first");
        await trial.publish({ second: { do: "work", ms: 50 } });
        await eventually(async () => (await trial.broker.blocked.count()) === 1, {
          withinMs: 20_000,
          describe: "the second job waits for the singleton",
        });
        const client = await IsolatedClient.start(
          { servers: isolated.url, namespace: NAMESPACE, replicas: REPLICAS },
          LEASE_MS,
        );
        await cluster.haveLead(isolated, CLAIMS);

        const heal = cluster.isolate(isolated, how, LEASE_MS);
        const partedMs = ledgerNowMs();
        const insisting = client.insist();
        const written = client.writeDocument();
        const [lost, aborted] = await Promise.all([
          a.heard("lost"),
          nodeA.heard("aborted", "first").then(() => ledgerNowMs()),
        ]);
        expect(lost.atMs - partedMs).toBeLessThan(LEASE_MS);
        // Given up five sixths after the last renewal, which was a third of a lease before at the
        // earliest, and on a busy machine somewhat more: not at the first refusal.
        expect(lost.atMs - partedMs).toBeGreaterThan(LEASE_MS / 4);
        expect(lost.superseded).toBe(false);
        const second = await b.heard("held");
        expect(second.atMs).toBeGreaterThan(lost.atMs);
        expect(second.token).toBeGreaterThan(first.token);
        nodeA.release("first");
        // Whichever comes first: the one that ran comes again, and the one that waited is woken.
        const next = await Promise.race(
          ["first", "second"].map((id) => nodeB.heard("started", id)),
        );
        expect(next.token).toBeGreaterThan(ran.token);
        console.log(
          `given up ${Math.round(lost.atMs - partedMs)} ms after the ${how} (the singleton ${Math.round(aborted - partedMs)} ms), taken ${Math.round(second.atMs - lost.atMs)} ms later`,
        );
        for (const member of others)
          expect(await leaderAsKnownTo(member, LOCKS)).not.toBe(isolated.name);
        client.end();
        const told = await insisting;
        console.log(
          `the isolated side answered reads for ${Math.round(told.readsUntilMs - partedMs)} ms, refused renewals with ${[...told.renewals].join(", ")} and ${told.tries} tries to take a free lock with ${[...told.acquisitions].join(", ")}`,
        );
        // Nobody else wants them, and nothing else is known on this side.
        expect(told.renewals).not.toContain("lock-lost");
        expect(told.renewals).not.toContain("given");
        expect(told.acquisitions).not.toContain("given");
        await heal();
        // A partition may last longer than it waits; then it does not know.
        expect(["written", "publish-timeout"]).toContain(await written);

        a.write();
        expect(await a.heard("wrote")).toMatchObject({
          held: false,
          aborted: true,
          accepted: false,
        });
        b.write();
        expect(await b.heard("wrote")).toMatchObject({ held: true, accepted: true });
        const again = await holders.start("a again", { servers: isolated.url });
        b.release();
        expect((await again.heard("held")).token).toBeGreaterThan(second.token);

        // Whichever node gets what is left.
        await trial.drained();
        nodeB.signal("SIGTERM");
        await nodeB.exit(90_000);
        await trial.publish({ third: { do: "work", ms: 50 } });
        expect((await nodeA.heard("started", "third")).token).toBeGreaterThan(next.token);
        await trial.drained();
        expect(await trial.expectClean()).toMatchObject({ succeeded: 3 });
        for (const { alive } of aliveOverTime(livesOf(trial.ledger, []))) expect(alive).toBe(1);
      },
      patient(180_000),
    );
  });
}
