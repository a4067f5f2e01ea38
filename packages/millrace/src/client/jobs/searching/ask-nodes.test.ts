import { type AwaitedNodes, defineJob } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { createClient } from "../../client.ts";

const send = defineJob<{ readonly n: number }>({ name: "mail.send", queue: "mail" });

/** A node runs the job `a` and does not answer in the usual time; `b` waits. */
async function busyNode(answers: "later" | "never") {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const ended = Promise.withResolvers<void>();
  const node = createNode({
    ...{ broker: new MemoryBroker({ clock, server }), clock, random: () => 0.5 },
    ...{ name: "busy", slots: 1, jobs: [send.handler(() => ended.promise)] },
  });
  await node.start();
  onTestFinished(async () => {
    ended.resolve();
    await node.stop();
  });
  const broker = new MemoryBroker({ clock, server });
  const client = createClient(broker, clock);
  for (const [n, id] of ["a", "b"].entries()) await client.enqueue(send, { n }, { id });
  await clock.advance("1s");
  const listRunning = broker.listRunning.bind(broker);
  const waited: AwaitedNodes[] = [];
  broker.listRunning = async (asked) => {
    const { awaited } = asked;
    if (awaited === undefined) return [];
    waited.push(awaited);
    if (answers === "later") return listRunning(asked);
    awaited.onSilent(awaited.names);
    return [];
  };
  return { client, waited, answer: () => void (broker.listRunning = listRunning) };
}

test("a node that is there is waited for where it does not answer in the usual time", async () => {
  const { client, waited } = await busyNode("later");
  const [job, ...others] = await client.jobs.list({ state: "running" });
  expect(job).toMatchObject({ id: "a", node: "busy", startedAt: expect.any(Number) as number });
  expect(others).toEqual([]);
  expect(waited).toMatchObject([{ names: ["busy"] }]);
  expect(waited[0]?.withinMs).toBeGreaterThanOrEqual(2_000);
  expect(await client.jobs.list({ state: "queued" })).toMatchObject([{ id: "b" }]);
  const found = await client.jobs.search({ state: "running", where: "payload.n:0" });
  expect(found).toMatchObject({ jobs: [{ id: "a" }], more: false });
  expect(found).not.toHaveProperty("unanswered");
});

test("where a node does not answer, what it has is told by its queue, and looks say so", async () => {
  const { client } = await busyNode("never");
  for (const where of [undefined, "payload.n:0"]) {
    const search = { state: "running", ...(where === undefined ? {} : { where }) } as const;
    expect(await client.jobs.search(search)).toMatchObject({
      ...{ jobs: [{ id: "a", node: "busy" }], looked: 1, unanswered: 1 },
    });
  }
  expect(await client.jobs.search({ state: "queued" })).toMatchObject({
    ...{ jobs: [{ id: "b" }], unanswered: 1 },
  });
  for (const state of ["running", "queued", undefined] as const) {
    const filter = { queue: "mail", ...(state === undefined ? {} : { state }) };
    const told: number[] = [];
    const onUnanswered = (nodes: number): void => void told.push(nodes);
    const count = await client.operations.count({ kind: "jobs-cancel", filter, onUnanswered });
    expect(count).toBe(state === undefined ? 2 : 1);
    expect(told).toEqual([1]);
    const { id } = await client.operations.start({ kind: "jobs-cancel", filter });
    expect(await client.operations.get(id)).toMatchObject({ total: count, unanswered: 1 });
  }
});

test("where all answer, nobody is waited for, and no look says otherwise", async () => {
  const { client, waited, answer } = await busyNode("never");
  answer();
  expect(await client.jobs.list({ state: "running" })).toMatchObject([{ id: "a", node: "busy" }]);
  const operation = await client.operations.start({ kind: "jobs-cancel", filter: {} });
  expect(operation).toMatchObject({ total: 2 });
  expect(operation).not.toHaveProperty("unanswered");
  expect(waited).toEqual([]);
});
