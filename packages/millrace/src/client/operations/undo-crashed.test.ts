import { defineJob, type Envelope } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { drain } from "../../testing/drain.ts";
import { HandlersAtWork } from "../../testing/handlers-at-work.ts";
import { createClient } from "../client.ts";
import { CANCEL, charge, scene } from "./undo.fixture.ts";

/** Begins a job and dies of it before anything is on record; another node comes after. */
async function killedAtWork() {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const charged: string[] = [];
  const startNode = async (name: string, work: () => Promise<void>): Promise<MemoryBroker> => {
    const broker = new MemoryBroker({ clock, server });
    const handler = charge.handler(({ job: { id, createdAt } }) => {
      charged.push(`${id} of ${createdAt}`);
      return work();
    });
    const node = createNode({ broker, clock, random: () => 0.5, name, jobs: [handler] });
    onTestFinished(() => node.stop());
    await node.start();
    return broker;
  };
  const dying = await startNode("dying", () => dying.close().then(() => new Promise(() => {})));
  const broker = new MemoryBroker({ clock, server });
  const client = createClient(broker, clock);
  await client.enqueue(charge, { n: 1 }, { id: "c1" });
  await clock.advance("1s");
  expect(charged).toHaveLength(1);
  return {
    ...{ client, clock, charged },
    another: () => startNode("another", () => Promise.resolve()),
    drain: () => drain({ broker, clock, handlers: new HandlersAtWork(clock, []) }, {}),
  };
}

test("a job whose node was killed at its work, and that was cancelled then, is not begun again as another", async () => {
  const { client, clock, charged, another, drain: drained } = await killedAtWork();
  const { id } = await client.operations.start(CANCEL);
  expect(await client.operations.run(id)).toMatchObject({ done: 1 });
  await another();
  await clock.advance("5m");
  await drained();
  expect((await client.job("c1")).state).toBe("cancelled");
  const undo = await client.operations.run((await client.operations.undo(id)).id);
  await drained();
  expect(charged).toHaveLength(1);
  expect(undo).toMatchObject({ done: 0, failed: 1, failures: [{ code: "undo-impossible" }] });
  expect(undo.failures[0]?.message).toContain("a node that had it has died");
});

test("a job that is enqueued anew, twice, has the effects of the first one, also once it was retried", async () => {
  const of = await scene();
  const { client, clock } = of;
  const pays = defineJob<object>({
    ...{ name: "pays", queue: "payments", retry: { attempts: 1 }, steps: true },
  });
  const seen: { readonly job: Envelope; readonly key: string }[] = [];
  const handled = pays.handler(async ({ job, step }) => {
    await step.run(`pay ${job.life ?? 0}`, ({ key }) => void seen.push({ job, key }));
    if (job.life === undefined) throw new Error("it dies first");
  });
  const { broker } = of.another();
  const node = createNode({ broker, clock, random: () => 0.5, name: "pays", jobs: [handled] });
  await node.start();
  onTestFinished(() => node.stop());
  await client.queues.pause("payments");
  await clock.advance("1s");
  const first = clock.now();
  await client.enqueue(pays, {}, { id: "p" });
  const target = { kind: "jobs-cancel", filter: { queue: "payments" } } as const;
  for (let times = 0; times < 2; times += 1) {
    await clock.advance("1m");
    const { id } = await client.operations.start(target);
    expect(await client.operations.run(id)).toMatchObject({ done: 1 });
    await client.queues.resume("payments");
    await clock.advance("1s");
    await client.queues.pause("payments");
    await clock.advance("1s");
    const undo = await client.operations.undo(id);
    expect(await client.operations.run(undo.id)).toMatchObject({ done: 1, failed: 0 });
  }
  await client.queues.resume("payments");
  await clock.advance("1m");
  expect(await client.dead.retry({ id: "p" })).toMatchObject([{ ok: true }]);
  await clock.advance("1m");
  expect(seen.map(({ job }) => job)).toMatchObject([
    ...[{ effectsOf: first }, { effectsOf: first, life: 1 }],
  ]);
  expect(seen[0]?.job.createdAt).toBeGreaterThan(first);
  expect(seen.map(({ key }) => key)).toEqual([
    ...[`payments/p/${first}/pay 0/0`, `payments/p/${first}/pay 1/0`],
  ]);
});
