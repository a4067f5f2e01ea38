import type { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { describe, expect, test, vi } from "vitest";
import { key, scene } from "../../fixtures/unique-scene.ts";

/** Looks at claims, and writes to them, take their time. */
function withLatency(broker: MemoryBroker, clock: SimulatedClock): void {
  const trip = () => new Promise<void>((resolve) => void clock.setTimer(15, resolve));
  const open = broker.documents.bind(broker);
  broker.documents = async (bucket) => {
    const documents = await open(bucket);
    const { get, put } = documents;
    if (bucket !== "unique") return documents;
    documents.get = async (name) => {
      await trip();
      return get.call(documents, name);
    };
    documents.put = async (...args) => {
      await trip();
      return put.apply(documents, args);
    };
    return documents;
  };
}

describe("a debounced key that is enqueued again and again", () => {
  test("has each job that was replaced looked for once, however many a node meets at a time", async () => {
    const made = await scene({ key, onConflict: { debounce: "30s" } });
    const { broker } = await made.node();
    const looks = vi.spyOn(broker.delayed, "of");
    await made.producer.enqueueMany(
      made.job,
      Array.from({ length: 100 }, (_, n) => ({ id: `v${n}`, input: { doc: "a", version: n } })),
    );
    await made.clock.advance("29s");
    expect(looks.mock.calls.length).toBeLessThanOrEqual(100);
    await made.clock.advance("1m");
    expect(looks.mock.calls.length).toBeLessThanOrEqual(100);
    expect(made.ran).toEqual([99]);
  });

  test("nor more often where the claim changes hands while they are looked for", async () => {
    const made = await scene({ key, onConflict: { debounce: "30s" } });
    const { broker } = await made.node();
    withLatency(broker, made.clock);
    const looks = vi.spyOn(broker.delayed, "of");
    for (let version = 1; version <= 200; version += 1) {
      await made.enqueue(version);
      await made.clock.advance("20ms");
    }
    await made.clock.advance("29s");
    expect(looks.mock.calls.length).toBeLessThanOrEqual(200);
    await made.clock.advance("1m");
    expect(looks.mock.calls.length).toBeLessThanOrEqual(200);
    expect(made.ran).toEqual([200]);
  });

  test("has nobody looked for whose time is so near that it can't be given another", async () => {
    const made = await scene({ key, onConflict: { debounce: "2s" } });
    const { broker } = await made.node();
    const looks = vi.spyOn(broker.delayed, "of");
    for (let version = 1; version <= 200; version += 1) {
      await made.enqueue(version);
      await made.clock.advance("50ms");
    }
    await made.clock.advance("1m");
    expect(looks).toHaveBeenCalledTimes(0);
    expect(made.ran).toEqual([200]);
  });
});
