import { type Envelope, UNIQUE_BUCKET, UniqueKey } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { latch, QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";
import { key, scene } from "../../fixtures/unique-scene.ts";

type Scene = Awaited<ReturnType<typeof scene>>;

/** The job as it lies in its queue. */
async function stored({ broker }: Scene, version: number): Promise<Envelope> {
  const found = await broker.findWaiting(`v${version}`, { queue: QUEUE });
  if (found === undefined) throw new Error("the job is not there");
  return { ...found.envelope, firstStoredAt: Math.floor(found.storedAt) };
}

/**
 * A node that had no slot for a job has handed it back: the server was killed between the copy and
 * the ack, and hands both out.
 */
async function handBack(made: Scene, envelope: Envelope): Promise<void> {
  await made.broker.requeue({ ...envelope, generation: envelope.generation + 1 });
  await made.clock.advance(0);
}

/** A second node, with a clock and a connection of its own. */
async function anotherNode({ clock, server, job, ran }: Scene): Promise<void> {
  const jobs = [job.handler(({ input }) => void ran.push(input.version))];
  await simulatedNode({ jobs, clock, server, name: "n2" });
}

describe("a job that was handed back, and whose message was not acked", () => {
  test.each(["one node", "two nodes"])("pending: does not run twice at once: %s", async (nodes) => {
    const made = await scene({ key });
    const hang = latch();
    made.runs(() => hang.promise);
    await made.node(nodes === "one node" ? 16 : 1);
    await made.enqueue(1);
    const envelope = await stored(made, 1);
    expect(made.ran).toEqual([1]);
    if (nodes === "two nodes") await anotherNode(made);
    await handBack(made, envelope);
    await made.clock.advance("5m");
    expect(made.ran).toEqual([1]);
    hang.open();
    await made.clock.advance("5m");
    expect(made.ran).toEqual([1]);
    expect((await made.ends(1)).filter((end) => end !== "requeued")).toEqual(["succeeded"]);
    const { queued, running, delayed } = await made.broker.queues.snapshot(QUEUE);
    expect({ queued, running, delayed }).toEqual({ queued: 0, running: 0, delayed: 0 });
  });

  test.each([
    ["keep", "waits"],
    ["keep", "has run"],
    ["replace", "waits"],
    ["replace", "has run"],
  ] as const)(
    "pending, %s: is not cancelled for a later job that took the key after its start, and %s",
    async (onConflict, later) => {
      const made = await scene({ key, onConflict });
      const hang = latch();
      made.runs(() => hang.promise);
      await made.node(1);
      await made.enqueue(1);
      const envelope = await stored(made, 1);
      await made.clock.advance("1s");
      expect(await made.enqueue(2, later === "waits" ? { delay: "1m" } : {})).toMatchObject({
        id: "v2",
        duplicate: false,
      });
      await anotherNode(made);
      await handBack(made, envelope);
      await made.clock.advance("5s");
      hang.open();
      await made.clock.advance("5m");
      expect(made.ran.toSorted()).toEqual([1, 2]);
      expect((await made.ends(1)).filter((end) => end !== "requeued")).toEqual(["succeeded"]);
      expect((await made.ends(2)).at(-1)).toBe("succeeded");
    },
  );

  test("pending: runs from its copy where the run of its first message ended with its node", async () => {
    const made = await scene({ key });
    made.runs(() => latch().promise);
    const { broker } = await made.node(1);
    await made.enqueue(1);
    const envelope = await stored(made, 1);
    await handBack(made, envelope);
    await made.clock.advance("1s");
    expect(made.ran).toEqual([1]);
    made.runs(() => "done");
    broker.crashHolder();
    await anotherNode(made);
    await made.clock.advance("5m");
    expect(made.ran).toEqual([1, 1]);
    expect((await made.ends(1)).filter((end) => end !== "requeued")).toEqual(["succeeded"]);
  });

  test("pending: runs soon where it gave its key free before it was handed back", async () => {
    const made = await scene({ key });
    await made.enqueue(1);
    const envelope = await stored(made, 1);
    await made.broker.queues.remove(QUEUE);
    await made.broker.queues.ensure(QUEUE);
    const claims = await made.broker.documents(UNIQUE_BUCKET);
    const name = new UniqueKey(QUEUE, "a").document;
    await claims.put(name, { id: "v1", state: "freed", while: "pending" });
    await handBack(made, envelope);
    await made.node();
    await made.clock.advance("2s");
    expect(made.ran).toEqual([1]);
  });
});
