import { MillraceError, UNIQUE_BUCKET, type UniqueClaim, UniqueKey } from "@millrace/core";
import { expect, test, vi } from "vitest";
import { QUEUE } from "../../fixtures/simulated-node.ts";
import { key, scene } from "../../fixtures/unique-scene.ts";

test("a claim that nobody frees is swept after a day, where its job is nowhere", async () => {
  const made = await scene({ key, while: "running" });
  const claims = await made.broker.documents(UNIQUE_BUCKET);
  const claimOf = (name: string) => new UniqueKey(QUEUE, name).document;
  const gone: UniqueClaim = { id: "gone", state: "claimed", while: "running" };
  await claims.put(claimOf("died"), gone, 0);
  await claims.put(claimOf("purged"), { ...gone, state: "seen" }, 0);
  await made.enqueue(1, { delay: "3d" });
  await made.clock.advance("23h");
  await made.node();
  await made.enqueue(2, { unique: { key: "b" } });
  const left = async () =>
    new Set((await claims.list()).map(({ value }) => (value as UniqueClaim).id));
  await made.clock.advance("30m");
  expect(await left()).toEqual(new Set(["gone", "v1"]));
  await made.clock.advance("1h");
  expect(await left()).toEqual(new Set(["v1"]));
  expect(await made.enqueue(3)).toMatchObject({ id: "v1", conflict: { kind: "kept" } });
});

test.each(["gives up at the stop", "never ends"])(
  "a node that stops does not wait for a look through a queue that %s",
  async (look) => {
    const made = await scene({ key, while: "running" });
    const claims = await made.broker.documents(UNIQUE_BUCKET);
    const gone: UniqueClaim = { id: "gone", state: "seen", while: "running" };
    await claims.put(new UniqueKey(QUEUE, "purged").document, gone, 0);
    const { broker, node } = await made.node();
    await made.clock.advance("25h");
    const looks: (AbortSignal | undefined)[] = [];
    broker.findWaiting = (_id, { signal } = {}) => {
      looks.push(signal);
      return new Promise((_resolve, reject) => {
        if (look === "never ends") return;
        signal?.addEventListener("abort", () => reject(signal.reason as Error));
      });
    };
    await made.enqueue(2, { unique: { key: "b" } });
    await made.clock.advance("6m");
    expect(looks).toHaveLength(1);
    const stopped = vi.fn();
    const stopping = node.stop().then(stopped);
    await made.clock.advance(0);
    expect(stopped).toHaveBeenCalledOnce();
    await stopping;
    expect(looks.map((signal) => signal?.aborted)).toEqual([true]);
    // Another node may sweep.
    expect(await made.broker.locks.look("leader/unique-sweeper")).toBeUndefined();
  },
);

test("claims are read part by part, and all that are over are erased", async () => {
  const made = await scene({ key, while: "running" });
  const claims = await made.broker.documents(UNIQUE_BUCKET);
  const freed: UniqueClaim = { id: "gone", state: "freed", while: "running" };
  for (let n = 0; n < 1_200; n += 1)
    await claims.put(new UniqueKey(QUEUE, `k${n}`).document, freed, 0);
  await made.clock.advance("1d");
  const { broker } = await made.node();
  const open = broker.documents.bind(broker);
  const list = vi.fn(() => Promise.reject(new Error("hundreds of thousands")));
  const store = Object.assign(await open(UNIQUE_BUCKET), { list });
  broker.documents = async (bucket) => (bucket === UNIQUE_BUCKET ? store : open(bucket));
  await made.enqueue(1, { unique: { key: "b" } });
  await made.clock.advance("6m");
  expect(list).not.toHaveBeenCalled();
  const left = await claims.page({ order: "oldest first", limit: 2_000 });
  expect(left.documents.map(({ value }) => (value as UniqueClaim).id)).toEqual(["v1"]);
});

test.each(["may still be awaited", "can't be looked for"])(
  "a thousand claims whose job %s keep none from being looked at",
  async (which) => {
    const made = await scene({ key, while: "running" });
    const claims = await made.broker.documents(UNIQUE_BUCKET);
    const lasting: UniqueClaim = { id: "lasting", state: "seen", while: "running" };
    const due = made.clock.now() + 30 * 86_400_000;
    const displaced = [{ id: "later", by: "lasting", due }];
    const awaited = which === "may still be awaited";
    for (let n = 0; n < 1_000; n += 1)
      await claims.put(
        new UniqueKey(QUEUE, `k${n}`).document,
        awaited ? { ...lasting, displaced } : lasting,
        0,
      );
    const gone = new UniqueKey(QUEUE, "purged").document;
    await claims.put(gone, { ...lasting, id: "gone" }, 0);
    await made.clock.advance("25h");
    const { broker } = await made.node();
    const find = broker.findWaiting.bind(broker);
    broker.findWaiting = (id, options) =>
      id === "lasting"
        ? Promise.reject(new MillraceError("request-timeout", "not now"))
        : find(id, options);
    await made.enqueue(2, { unique: { key: "b" } });
    await made.clock.advance("11m");
    expect(await claims.get(gone)).toBeUndefined();
    expect((await claims.list()).length).toBeGreaterThan(1_000);
  },
);
