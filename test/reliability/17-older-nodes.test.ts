import { planJob } from "millrace";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { expectEverySecond, ticksOf } from "../scheduler/fleet.ts";
import { type OlderPrograms, olderVersion } from "./harness/older-version.ts";
import { readRecords } from "./harness/records.ts";
import { Trial, type TrialNode } from "./harness/trial.ts";
import { TwoVersions, type VersionedNode } from "./harness/two-versions.ts";
import { JOBS, SHARED, TICK, type Version } from "./programs/versioned.ts";

vi.setConfig({ testTimeout: patient(180_000) });

/**
 * Longer than any of these tests: what waits so long is moved, once the node that should run it is
 * there.
 */
const FAR_MS = 600_000;
const older = olderVersion();
const title = older.state === "present" ? `the code of ${older.commit}` : older.reason;

describe.skipIf(older.state === "missing")(`17: beside ${title}`, () => {
  let laid: OlderPrograms;
  beforeAll(() => {
    if (older.state === "present") laid = older.lay();
  });
  afterAll(() => laid.remove());

  describeEachServer(
    "two versions at once",
    (server) => {
      it("a rolling upgrade under load, and back: nothing is lost, repeated or miscounted", async () => {
        const trial = await Trial.start(server);
        const programsOf = (version: Version) =>
          version === "old" ? { programs: laid.programs } : {};
        const start = (name: string, version: Version): Promise<TrialNode> =>
          trial.node(`${version}-${name}`, {
            // A user's: with a short one a busy machine runs jobs twice, which no upgrade explains.
            leaseMs: 30_000,
            backoffMs: 100,
            ...programsOf(version),
          });
        let nodes: readonly TrialNode[] = await Promise.all([start("a", "old"), start("b", "old")]);
        const producers = (["old", "new"] as const).map((version) =>
          trial.producer(`by-${version}`, {
            jobs: 200,
            batch: 10,
            pauseMs: 100,
            failEvery: 4,
            workMs: 10,
            ...programsOf(version),
          }),
        );
        for (const version of ["new", "old"] as const) {
          const next = await Promise.all(nodes.map(({ name }) => start(name, version)));
          for (const node of nodes) {
            node.signal("SIGTERM");
            expect(await node.exit(90_000)).toEqual({ code: 0, signal: null });
          }
          nodes = next;
          // However soon the producers are done: every one of these nodes has work.
          await trial.publish(
            Object.fromEntries(
              Array.from({ length: 60 }, (_, n) => [
                `${version}-again-${n}`,
                { do: "work", ms: 20 },
              ]),
            ),
          );
          await trial.drained();
        }
        for (const producer of producers)
          expect(await producer.exit(90_000)).toEqual({ code: 0, signal: null });
        await trial.drained();
        const counts = await trial.expectClean();
        expect(counts).toMatchObject({ confirmed: 520, succeeded: 520, dead: 0, repeats: 0 });
        const ran = trial.ledger.flatMap(({ event, process }) =>
          event === "effect" ? process : [],
        );
        expect([...new Set(ran)].sort()).toEqual(
          ["old-a", "old-b", "new-old-a", "new-old-b", "old-new-old-a", "old-new-old-b"].sort(),
        );
      });

      it("they share slots, singletons, caps and unique keys", async () => {
        const two = await TwoVersions.open(server, laid);
        const nodes = [await two.node("new", { slots: 2 }), await two.node("old", { slots: 2 })];
        for (const [n, producer] of nodes.entries()) {
          const ids = ["a", "b", "c", "d"].map((name) => `hold-${n}${name}`);
          for (const id of ids) await producer.enqueue("hold", id);
          // Two slots each, so all four run at once only where each node runs two.
          const running: (() => void)[] = [];
          for (const node of nodes)
            for (let slot = 0; slot < 2; slot++) {
              const { id } = await node.heard("started");
              running.push(() => node.release(id));
            }
          for (const release of running) release();
          const ranOn = await Promise.all(ids.map((id) => two.ranOn(id)));
          expect(ranOn.sort()).toEqual(["new", "new", "old", "old"]);
        }
        for (const job of ["alone", "capped"] as const) {
          const ids = nodes.map((_, n) => `${job}-${n}`);
          for (const [n, id] of ids.entries()) await nodes[n]?.enqueue(job, id, { key: "t" });
          await oneAfterTheOther(two, nodes, ids);
        }
        for (const [n, producer] of nodes.entries()) {
          const id = `keyed-${n}`;
          expect(await producer.enqueue("keyed", id, { key: "k" })).toBe(id);
          for (const other of nodes)
            expect(await other.enqueue("keyed", `${id}-again`, { key: "k" })).toBe(id);
          (await runnerOf(nodes, id)).release(id);
          await two.ranOn(id);
        }
      });

      it("the schedules are handed over and back, and no tick comes twice or never", async () => {
        const two = await TwoVersions.open(server, laid);
        await two.forgetful();
        const leads = async (node: VersionedNode): Promise<void> => {
          await node.heard("leading", ({ leading }) => leading);
          await node.heard("started", ({ id }) => id.startsWith(`cron:${TICK}:`));
        };
        const handedOver = async (): Promise<void> => {
          let node = await two.node("old", { ticks: true });
          await leads(node);
          for (const version of ["new", "old"] as const) {
            const next = await two.node(version, { ticks: true });
            await node.retire();
            await leads(next);
            node = next;
          }
          await two.client.cron.pause(TICK);
          // A leader may be amid its last tick.
          await eventually(
            async () => (await two.client.cron.list()).every(({ state }) => !state.intent),
            { withinMs: 20_000, describe: "no tick is under way" },
          );
          await two.client.queues.drain(SHARED, { timeout: patient(60_000) });
          const records = await readRecords(server.url, two.namespace);
          expect(expectEverySecond(ticksOf(records, TICK), TICK)).toBeGreaterThanOrEqual(3);
        };
        await two.told(handedOver());
      });

      it.each([
        ["old", "new"],
        ["new", "old"],
      ] as const)("what %s nodes leave undone the %s ones do", async (from, to) => {
        const two = await TwoVersions.open(server, laid);
        const first = await two.node(from);
        for (const job of ["hold", "alone", "capped", "keyed"] as const) {
          await first.enqueue(job, job, { key: "k" });
          await first.started(job);
        }
        for (const job of ["alone", "capped"] as const)
          await first.enqueue(job, `${job}-blocked`, { key: "k" });
        await first.enqueue("step", "retried", { fails: 1 });
        await first.enqueue("step", "delayed", {}, { delay: FAR_MS });
        await first.enqueue("step", "fatal", { fatalOn: from });
        const batch = await two.client.batch(
          [planJob(JOBS.step, {}), planJob(JOBS.step, {}, { id: "batched", delay: FAR_MS })],
          { callback: { job: JOBS.ended, input: null } },
        );
        const chain = await two.client
          .chain(JOBS.step, { fails: 1 }, { id: "chained" })
          .next(JOBS.step)
          .enqueue();
        const waitForTheirTime = ["retried", "delayed", "batched", "chained"];
        await eventually(
          async () => {
            const { blocked, delayed, dead } = await two.client.queues.snapshot(SHARED);
            return blocked === 2 && delayed === waitForTheirTime.length && dead === 1;
          },
          { withinMs: 20_000, describe: "jobs are blocked, wait for their time and are dead" },
        );
        if (from === "old") {
          await first.enqueue("added", "added");
          await expect(two.ranOn("added")).rejects.toMatchObject({ code: "unknown-name" });
        }

        const second = await two.node(to);
        await first.retire();
        expect(await second.enqueue("keyed", "keyed-again", { key: "k" })).toBe("keyed");
        for (const id of ["hold", "keyed"]) {
          await second.started(id);
          second.release(id);
          expect(await two.ranOn(id)).toBe(to);
        }
        for (const job of ["alone", "capped"])
          await oneAfterTheOther(two, [second], [job, `${job}-blocked`]);
        for (const id of waitForTheirTime) {
          await two.client.handle(id, SHARED).reschedule({ delay: 0 });
          expect(await two.ranOn(id)).toBe(to);
        }
        expect((await two.client.job("retried", { queue: SHARED })).attempts).toBe(2);
        expect(await batch.result()).toBe(to);
        expect(await chain.result()).toBe(to);

        const dead = from === "old" ? ["added", "fatal"] : ["fatal"];
        expect((await two.client.dead.list({ queue: SHARED })).map(({ id }) => id).sort()).toEqual(
          dead,
        );
        await two.client.dead.retry({ queue: SHARED });
        for (const id of dead) expect(await two.ranOn(id)).toBe(to);
        await eventually(
          async () => {
            const { queued, running, delayed, blocked } = await two.client.queues.snapshot(SHARED);
            return queued + running + delayed + blocked === 0;
          },
          { withinMs: 20_000, describe: "nothing is left in the queue" },
        );
      });
    },
    { undisturbed: "runs are counted exactly, and a leader's death may repeat one" },
  );
});

/**
 * Resolves with the one of the nodes that runs this job. Asked once for a job: what a node says is
 * heard once.
 */
function runnerOf(nodes: readonly VersionedNode[], id: string): Promise<VersionedNode> {
  return Promise.any(nodes.map(async (node) => (await node.started(id), node)));
}

/** Jobs that exclude each other: one runs, the others are blocked until that has ended. */
async function oneAfterTheOther(
  two: TwoVersions,
  nodes: readonly VersionedNode[],
  ids: readonly string[],
): Promise<void> {
  const runs = new Map(
    ids.map((id) => [id, runnerOf(nodes, id).then((node) => ({ id, node }))] as const),
  );
  while (runs.size > 0) {
    const { id, node } = await Promise.race(runs.values());
    runs.delete(id);
    for (const other of runs.keys())
      await eventually(
        async () => (await two.client.job(other, { queue: SHARED })).state === "blocked",
        { withinMs: 20_000, describe: `${other} is blocked while ${id} runs` },
      );
    node.release(id);
    await two.ranOn(id);
  }
}
