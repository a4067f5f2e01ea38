import { describe, expect, test } from "vitest";
import { latch, QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";
import { scene, jobThat } from "../fixtures/cancelled-jobs.ts";

describe("the sweep", () => {
  const aDay = "1d" as const;

  test("removes a cancellation whose job is gone, after an hour, and leaves one whose job waits", async () => {
    const { clock, server, from } = scene();
    const end = latch();
    const job = jobThat(() => end.promise, { timeout: "10d" });
    const { enqueue } = await simulatedNode({ jobs: [job], slots: 1, clock, server });
    await enqueue("t.job", null, { id: "busy" });
    await enqueue("t.job", null, { id: "waits" });
    await from.put({}, `${QUEUE}.gone`);
    await from.put({}, `${QUEUE}.waits`);
    await from.put({}, "elsewhere.gone");
    await clock.advance("30m");
    expect(await from.open()).toHaveLength(3);
    await clock.advance(aDay);
    expect(await from.open()).toEqual([`${QUEUE}.waits`, "elsewhere.gone"]);
    end.open();
    await clock.advance(0);
    expect(await from.open()).toEqual(["elsewhere.gone"]);
  });

  test("removes one of a job that is gone while another of its id waits", async () => {
    const { clock, server, from } = scene();
    const end = latch();
    const job = jobThat(() => end.promise, { timeout: "10d" });
    const { enqueue } = await simulatedNode({ jobs: [job], slots: 1, clock, server });
    await enqueue("t.job", null, { id: "busy" });
    await enqueue("t.job", null, { id: "waits", createdAt: 7 });
    await from.put({ createdAt: 7 }, `${QUEUE}.waits.7`);
    await from.put({ createdAt: 6 }, `${QUEUE}.waits.6`);
    await clock.advance(aDay);
    expect(await from.open()).toEqual([`${QUEUE}.waits.7`]);
    end.open();
    await clock.advance(0);
    expect(await from.open()).toEqual([]);
  });

  test("goes on behind those that stay: they keep it from no other", async () => {
    const { clock, server, from } = scene();
    const end = latch();
    const job = jobThat(() => end.promise, { timeout: "10d" });
    const { enqueue } = await simulatedNode({ jobs: [job], slots: 1, clock, server });
    await enqueue("t.job", null, { id: "a-busy" });
    for (let n = 100; n < 160; n += 1) {
      await enqueue("t.job", null, { id: `b-${n}` });
      await from.put({}, `${QUEUE}.b-${n}`);
    }
    await from.put({}, `${QUEUE}.c-gone`);
    await clock.advance(aDay);
    const left = await from.open();
    expect(left).toHaveLength(60);
    expect(left).not.toContain(`${QUEUE}.c-gone`);
    end.open();
    await clock.advance(0);
  });

  test("sets no timer on a node that heard of no cancellation, and none stays behind", async () => {
    const { clock, server, from } = scene();
    const { node } = await simulatedNode({ jobs: [jobThat(() => 1)], clock, server });
    const others = clock.pending;
    await clock.advance(0);
    expect(clock.pending).toBe(others);
    await from.put();
    await clock.advance(0);
    expect(clock.pending).toBe(others + 1);
    await node.stop();
    expect(clock.pending).toBe(0);
  });
});
