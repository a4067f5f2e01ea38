import { MillraceError } from "@millrace/core";
import type { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { describe, expect, test } from "vitest";
import { QUEUE } from "../../fixtures/simulated-node.ts";
import { key, scene, type Unique } from "../../fixtures/unique-scene.ts";

/** Requests take their time, and a queue that is read through takes longer the longer it is. */
function withLatency(broker: MemoryBroker, clock: SimulatedClock, random: () => number) {
  const trip = (ms = 10 + Math.round(20 * random())) =>
    new Promise<void>((resolve) => void clock.setTimer(ms, resolve));
  const open = broker.documents.bind(broker);
  broker.documents = async (bucket) => {
    const documents = await open(bucket);
    const { get, peek, put } = documents;
    if (bucket !== "unique") return documents;
    documents.get = async (name) => {
      await trip();
      return get.call(documents, name);
    };
    documents.peek = async (name) => {
      await trip();
      return peek.call(documents, name);
    };
    documents.put = async (...args) => {
      await trip();
      return put.apply(documents, args);
    };
    return documents;
  };
  const publish = broker.enqueue.bind(broker);
  broker.enqueue = async (jobs) => {
    await trip();
    return publish(jobs);
  };
  const find = broker.findWaiting.bind(broker);
  broker.findWaiting = async (id, options) => {
    const { queued } = await broker.queues.snapshot(QUEUE);
    await trip(10 + queued);
    return find(id, options);
  };
}

const LOAD_MS = 6_000;

describe("replace under a load that doesn't end", () => {
  /** Producers that enqueue the same key again as soon as they have been told, for six seconds. */
  const hammered = async (producers: number, seed: number) => {
    const made = await scene({ key, onConflict: "replace" });
    const { clock, producer, job } = made;
    const random = seeded(seed);
    withLatency(made.broker, clock, random);
    const { broker } = await made.node(8);
    withLatency(broker, clock, random);
    let looks = 0;
    const find = broker.findWaiting.bind(broker);
    broker.findWaiting = (...args) => {
      looks += 1;
      return find(...args);
    };
    const told = new Map<number, string>();
    const starts: number[] = [];
    made.runs(() => void starts.push(clock.now()));
    const from = clock.now();
    let version = 0;
    const hammer = async (): Promise<void> => {
      while (clock.now() - from < LOAD_MS) {
        version += 1;
        const own = version;
        const input = { doc: "a", version: own };
        const { conflict } = await producer.enqueue(job, input, { id: `v${own}` });
        told.set(own, conflict?.kind === "replaced" ? conflict.id : "new");
      }
    };
    const all = Promise.all(Array.from({ length: producers }, hammer));
    await clock.advance(LOAD_MS + 1_000);
    await all;
    const startsUnderLoad = starts.filter((at) => at - from < LOAD_MS);
    await clock.advance("30s");
    return { ...made, told, startsUnderLoad, from, last: version, looks };
  };

  test.each([
    [5, 1],
    [20, 2],
  ])(
    "of %i producers a job starts every three seconds, and none reads the queue through",
    { timeout: 60_000 },
    async (producers, seed) => {
      const { startsUnderLoad, from, looks, ran, ends, told } = await hammered(producers, seed);
      const gaps = [from, ...startsUnderLoad, from + LOAD_MS].map((at, n, all) =>
        n === 0 ? 0 : at - (all[n - 1] ?? at),
      );
      expect(Math.max(...gaps)).toBeLessThan(3_000);
      expect(looks).toBe(0);
      expect(new Set(ran).size).toBe(ran.length);
      // What each producer was told is what happened.
      const displaced = new Set([...told.values()].filter((id) => id !== "new"));
      for (const version of told.keys()) {
        const ended = (await ends(version)).at(-1);
        expect([version, ended]).toEqual([
          version,
          displaced.has(`v${version}`) ? expect.stringMatching(/^cancelled/) : "succeeded",
        ]);
      }
    },
  );
});

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("an answer that is lost", () => {
  /** The first write of the node that frees a key is carried out, and nobody hears of it. */
  const loseAnswers = (broker: MemoryBroker, meanwhile: () => Promise<unknown>) => {
    const open = broker.documents.bind(broker);
    let lost = false;
    broker.documents = async (bucket) => {
      const documents = await open(bucket);
      const { put } = documents;
      if (bucket === "unique")
        documents.put = async (name, value, expected) => {
          const revision = await put.call(documents, name, value, expected);
          if (lost || (value as { state?: string }).state !== "freed") return revision;
          lost = true;
          await meanwhile();
          const cause = new MillraceError("publish-timeout", "no answer");
          throw new MillraceError("revision-conflict", "somebody else wrote", { cause });
        };
      return documents;
    };
  };

  test.each<[string, Unique]>([
    ["keep", { key }],
    ["replace", { key, onConflict: "replace" }],
  ])(
    "%s: a producer that was told its job is new is not cancelled as the duplicate of a later one",
    async (_rule, unique) => {
      const { enqueue, node, ran, ends, producer, job } = await scene(unique);
      // The later one waits for the slot.
      const { broker } = await node(1);
      loseAnswers(broker, () => producer.enqueue(job, { doc: "a", version: 2 }, { id: "v2" }));
      expect(await enqueue(1)).not.toHaveProperty("conflict");
      expect(await ends(1)).toEqual(["succeeded"]);
      expect(ran.toSorted()).toEqual([1, 2]);
    },
  );

  test("nor where the write failed altogether, and the gate is asked again", async () => {
    const { enqueue, node, ends, producer, job, clock } = await scene({ key });
    const { broker } = await node(1);
    const open = broker.documents.bind(broker);
    let failed = false;
    broker.documents = async (bucket) => {
      const documents = await open(bucket);
      const { put } = documents;
      if (bucket === "unique")
        documents.put = async (name, value, expected) => {
          const revision = await put.call(documents, name, value, expected);
          if (failed) return revision;
          failed = true;
          await producer.enqueue(job, { doc: "a", version: 2 }, { id: "v2" });
          throw new MillraceError("publish-timeout", "no answer");
        };
      return documents;
    };
    await enqueue(1);
    await clock.advance("1s");
    expect(await ends(1)).toEqual(["succeeded"]);
    expect(await ends(2)).toEqual(["succeeded"]);
  });
});
