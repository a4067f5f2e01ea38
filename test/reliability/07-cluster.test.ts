import { launchCluster, type LaunchedServer } from "@millrace/nats-server";
import { describe, expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { allCurrent } from "../harness/cluster/leader-killer.ts";
import { MONITOR_CONFIG } from "../harness/cluster/members.ts";
import { REPLICAS } from "../harness/cluster/mode.ts";
import { leaderOf, replicasOf } from "../harness/cluster/streams-of.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";

const JOBS = 600;
const CURRENT_MS = 60_000;

for (const target of serversUnderTest()) {
  // Elections take their time: one generation is enough for every run, the other has its turn with
  // `npm test -- --cluster=2.10`.
  if (target.generation === "2.10" && process.env["MILLRACE_TEST_CLUSTER"] !== "2.10") continue;
  const title = `7: a cluster of three under load (${nameOf(target)})`;
  describe.skipIf(target.state === "missing")(title, () => {
    it("its leader, a follower, all of it killed, then each restarted in turn: nothing is lost", async () => {
      if (target.state === "missing") return;
      const cluster = await launchCluster({ path: target.path, config: MONITOR_CONFIG });
      cleanUpLater(() => cluster.dispose());
      const { members } = cluster;
      const trial = await Trial.start({
        url: cluster.urls.join(","),
        replicas: REPLICAS,
        namespace: () => "r3",
      });
      const replicas = await replicasOf(cluster.urls, trial.namespace);
      expect(new Set(replicas.values())).toEqual(new Set([REPLICAS]));
      await Promise.all(["a", "b"].map((name) => trial.node(name)));
      const producer = trial.producer("p", {
        jobs: JOBS,
        batch: 20,
        failEvery: 10,
        workMs: 10,
        pauseMs: 50,
      });
      const confirmed = (count: number): Promise<unknown> =>
        producer.message(
          (said): said is { confirmed: number } =>
            (said as { confirmed: number }).confirmed >= count,
          90_000,
        );
      const leader = async (): Promise<LaunchedServer> => {
        const name = await eventually(
          () => leaderOf(cluster.urls, `${trial.namespace}-queue-work`),
          {
            withinMs: 30_000,
            describe: "the queue has a leader",
          },
        );
        return members.find((member) => member.name === name) as LaunchedServer;
      };
      const during = async (what: string, act: () => Promise<void>): Promise<void> => {
        const over = trial.fault(what, "repeated-attempt", "stale-effect");
        await act();
        await allCurrent(members, CURRENT_MS);
        // What was unsettled may run again, until the leases of that moment are over.
        over(trial.leaseMs);
      };
      const killed = async (victims: readonly LaunchedServer[]): Promise<void> => {
        await Promise.all(victims.map((member) => member.kill()));
        await Promise.all(victims.map((member) => member.restart()));
      };

      await confirmed(100);
      await during("the leader is killed", async () => killed([await leader()]));
      await confirmed(200);
      await during("a follower is killed", async () => {
        const leading = await leader();
        await killed(members.filter((member) => member !== leading).slice(0, 1));
      });
      await confirmed(300);
      await during("all are killed", () => killed(members));
      await confirmed(400);
      for (const member of members)
        await during(`${member.name} is restarted`, () => member.restart());

      expect(await producer.exit(120_000)).toEqual({ code: 0, signal: null });
      await trial.drained(60_000);
      const counts = await trial.expectClean();
      console.log(`${counts.repeats} of ${counts.runs} runs were repeats`);
      expect(counts).toMatchObject({ confirmed: JOBS, succeeded: JOBS, dead: 0 });
      expect(new Set((await replicasOf(cluster.urls, trial.namespace)).values())).toEqual(
        new Set([REPLICAS]),
      );
    }, 300_000);
  });
}
