import assert from "node:assert/strict";
import { type Envelope, LANE_NAMES, type LaneName, messageIdOf } from "@millrace/core";
import {
  type ConformanceCase,
  conformanceCase,
  envelopeOf,
  type Scene,
  sharedCase,
} from "../scene.ts";
import type { SceneWorker } from "../scene-worker.ts";

/** Longer than a broker lets the pulls of an idle lane stand when its worker is full. */
const LONG_FULL_MS = 150;
/** A job of an idle lane is one hop away; anything near this would be a poll. */
const PROMPT_MS = 400;

export const laneCases: readonly ConformanceCase[] = [
  conformanceCase("lanes: a high job overtakes a backlog of normal ones", async (scene) => {
    await scene.enqueueOk(...scene.jobs(40));
    const worker = await scene.worker({ slots: 1 });
    for (let index = 0; index < 5; index += 1) await worker.ack(await worker.delivery(index));
    await worker.delivery(5);
    await scene.enqueueOk(scene.job({ lane: "high" }));
    await scene.passes(LONG_FULL_MS);
    for (let index = 5; !worker.lanes.includes("high"); index += 1) {
      assert.ok(index < 10, `still no high job among ${worker.lanes.join(", ")}`);
      await worker.ack(await worker.delivery(index));
      await worker.delivery(index + 1);
    }
  }),

  conformanceCase(
    "lanes: with a backlog in all three each has the share of its weight",
    async (scene) => {
      await scene.enqueueOk(...backlog(scene, 200));
      const worker = await scene.worker({ slots: 4, acks: true });
      await worker.delivery(199);
      const { high, normal, low } = worker.sharesOf(200);
      assert.ok(
        high >= 100 && high <= 140 && normal >= 40 && normal <= 80 && low >= 10 && low <= 32,
        `of 200 with 6 : 3 : 1 there were ${high} high, ${normal} normal, ${low} low`,
      );
      await emptied(scene);
    },
  ),

  conformanceCase("lanes: a worker's own weights count", async (scene) => {
    await scene.enqueueOk(...backlog(scene, 100));
    const worker = await scene.worker({
      slots: 3,
      acks: true,
      weights: { high: 1, normal: 1, low: 8 },
    });
    await worker.delivery(99);
    const { high, normal, low } = worker.sharesOf(100);
    assert.ok(
      low >= 65 && high >= 4 && normal >= 4,
      `of 100 with 1 : 1 : 8 there were ${high} high, ${normal} normal, ${low} low`,
    );
    await emptied(scene);
  }),

  conformanceCase(
    "lanes: the low one never starves, however much waits in the others",
    async (scene) => {
      await scene.enqueueOk(...scene.jobs(200, { lane: "high" }), ...scene.jobs(200));
      await scene.enqueueOk(...scene.jobs(12, { lane: "low" }));
      const worker = await scene.worker({ slots: 2, acks: true });
      // By their weights the twelve are through after 120; the others don't run dry before 300.
      await worker.delivery(239);
      assert.equal(worker.sharesOf(240).low, 12);
      await emptied(scene);
    },
  ),

  conformanceCase(
    "lanes: with one slot a job of any idle lane comes at once, also after the slot was long taken",
    async (scene) => {
      const worker = await scene.worker({ slots: 1 });
      let index = 0;
      for (const holdMs of [0, LONG_FULL_MS]) {
        for (const lane of LANE_NAMES) {
          const sentAt = scene.harness.now();
          await scene.enqueueOk(scene.job(inLane(lane)));
          const delivery = await worker.delivery(index++);
          const tookMs = scene.harness.now() - sentAt;
          assert.ok(tookMs < PROMPT_MS, `the ${lane} lane's job took ${tookMs} ms`);
          assert.equal(delivery.message.lane ?? "normal", lane);
          await scene.passes(holdMs);
          await worker.ack(delivery);
        }
      }
    },
  ),

  conformanceCase(
    "lanes: what comes in all of them at the same moment waits for the one slot",
    async (scene) => {
      const worker = await scene.worker({ slots: 1 });
      for (let round = 0; round < 10; round += 1) {
        await scene.enqueueOk(...backlog(scene, 1));
        for (let index = round * 3; index < round * 3 + 3; index += 1)
          await worker.ack(await worker.delivery(index));
      }
      assert.equal(worker.mostHeld, 1);
      await emptied(scene);
    },
  ),

  conformanceCase("lanes: together they never have more than the slots", async (scene) => {
    const worker = await scene.worker({ slots: 5, acks: true });
    for (let round = 0; round < 10; round += 1) await scene.enqueueOk(...backlog(scene, 10));
    await worker.delivery(299);
    assert.ok(worker.mostHeld <= 5, `it held ${worker.mostHeld} at a time with 5 slots`);
    await emptied(scene);
    assert.equal(new Set(worker.messageIds).size, 300);
  }),

  conformanceCase("lanes: each keeps its order", async (scene) => {
    const jobs = backlog(scene, 40);
    await scene.enqueueOk(...jobs);
    const worker = await scene.worker({ slots: 1, acks: true });
    await worker.delivery(119);
    for (const lane of LANE_NAMES) assert.deepEqual(idsIn(worker, lane), idsOf(jobs, lane));
  }),

  sharedCase("lanes: a job comes again in its lane when its holder has died", async (scene) => {
    const jobs = backlog(scene, 1);
    await scene.enqueueOk(...jobs);
    const dying = await scene.connect();
    const holder = await scene.worker({ broker: dying });
    await holder.delivery(2);
    await dying.close();
    const next = await scene.worker();
    await next.delivery(2);
    for (const lane of LANE_NAMES) assert.deepEqual(idsIn(next, lane), idsOf(jobs, lane));
    assert.deepEqual(
      next.deliveries.map(({ deliveryCount }) => deliveryCount),
      [2, 2, 2],
    );
  }),

  conformanceCase("lanes: a requeued job stays in its lane", async (scene) => {
    await scene.enqueueOk(...backlog(scene, 1));
    const worker = await scene.worker();
    for (let index = 0; index < 3; index += 1) {
      const delivery = await worker.delivery(index);
      const envelope = { ...envelopeOf(delivery.message), generation: 1 };
      await worker.settle(delivery, { do: "requeue", envelope }, { do: "ack" });
    }
    await worker.delivery(5);
    for (const lane of LANE_NAMES) {
      const [id = "", again] = idsIn(worker, lane);
      assert.equal(again, messageIdOf({ id, generation: 1 }), `the ${lane} lane`);
    }
  }),
];

function inLane(lane: LaneName): Partial<Envelope> {
  return lane === "normal" ? {} : { lane };
}

/** So many jobs in each lane, mixed. */
function backlog(scene: Scene, each: number): readonly Envelope[] {
  return Array.from({ length: each }, () =>
    LANE_NAMES.map((lane) => scene.job(inLane(lane))),
  ).flat();
}

function idsOf(jobs: readonly Envelope[], lane: LaneName): readonly string[] {
  return jobs.filter((job) => (job.lane ?? "normal") === lane).map(({ id }) => id);
}

function idsIn(worker: SceneWorker, lane: LaneName): readonly (string | undefined)[] {
  return worker.messageIds.filter((_, index) => worker.lanes[index] === lane);
}

/** Until nothing waits and nothing is held. */
async function emptied(scene: Scene): Promise<void> {
  await scene.harness.eventually("an empty queue", async () => {
    const { queued, running } = await scene.broker.queues.snapshot(scene.queue);
    return queued + running === 0;
  });
}
