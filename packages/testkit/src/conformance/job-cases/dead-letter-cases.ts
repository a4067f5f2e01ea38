import assert from "node:assert/strict";
import type { BuriedJob, DeadLetter } from "@millrace/core";
import { type ConformanceCase, conformanceCase, type Scene } from "../scene.ts";

function letterOf(scene: Scene, id: string, more: Partial<DeadLetter> = {}): DeadLetter {
  return {
    id,
    name: "conformance.job",
    queue: scene.queue,
    reason: "fatal",
    attempts: 1,
    at: scene.harness.now(),
    node: "conformance",
    body: new Uint8Array([1, 2, 3]),
    headers: {},
    ...more,
  };
}

/**
 * Buries each letter over a delivery of its own, which it leaves unsettled: a settlement that is
 * repeated buries a job once.
 */
async function bury(scene: Scene, letters: readonly DeadLetter[]): Promise<void> {
  const worker = await scene.worker({ slots: letters.length });
  for (const [index, letter] of letters.entries()) {
    await scene.enqueueOk(scene.job());
    await scene.broker.settle(await worker.delivery(index), [{ do: "bury", letter }]);
  }
}

export const deadLetterCases: readonly ConformanceCase[] = [
  conformanceCase(
    "dead letters: what is buried beside the job itself has a letter of its own, also when the job was buried before",
    async (scene) => {
      await scene.enqueueOk(scene.job());
      const delivery = await (await scene.worker()).delivery(0);
      const own = { do: "bury", letter: letterOf(scene, "own") } as const;
      const [next, callback, later] = ["next", "callback", "callback"].map(
        (id, index) =>
          ({ do: "bury", letter: letterOf(scene, id), once: `chain-broken/${index}` }) as const,
      );
      assert.ok(next !== undefined && callback !== undefined && later !== undefined);
      for (const steps of [[own], [own, next, callback], [{ ...next }, { ...callback }], [later]])
        await scene.broker.settle(delivery, steps);
      const found = await scene.broker.deadLetters.list({ queue: scene.queue });
      assert.deepEqual(
        found.map(({ id }) => id),
        ["own", "next", "callback", "callback"],
      );
    },
  ),

  conformanceCase(
    "dead letters: keep the bytes and the headers as they stood, whatever they are",
    async (scene) => {
      const everyByte = Uint8Array.from({ length: 1_024 }, (_, index) => index % 256);
      const letter = letterOf(scene, "hostile", {
        attempts: 3,
        reason: "undecodable",
        error: {
          type: "Error",
          message: 'first line\r\nNats-Rollup: all\r\n\r\nzweite Zeile 🌊 "quoted"',
          stack: "Error\n    at a\n    at b",
        },
        firstError: { type: "TypeError", message: "another one" },
        body: everyByte,
        headers: {
          "content-type": "application/x-other",
          "nats-msg-id": "theirs",
          "x-tenant": "seven",
          traceparent: "00-1-2-01",
        },
      });
      await bury(scene, [letter]);
      const [found] = await scene.broker.deadLetters.list({ queue: scene.queue });
      assert.ok(found);
      const { sequence, ...rest } = found;
      assert.ok(sequence > 0);
      assert.deepEqual({ ...rest, body: [...rest.body] }, { ...letter, body: [...everyByte] });
    },
  ),

  conformanceCase(
    "dead letters: a letter of bytes that could not be read has no name and an empty body if that is what came",
    async (scene) => {
      const { name: _, ...nameless } = letterOf(scene, "nameless", {
        reason: "undecodable",
        attempts: 0,
        body: new Uint8Array(),
      });
      await bury(scene, [nameless]);
      const [found] = await scene.broker.deadLetters.list({ queue: scene.queue });
      assert.deepEqual(
        [found !== undefined && "name" in found, found?.body.length, found?.id],
        [false, 0, "nameless"],
      );
    },
  ),

  conformanceCase(
    "dead letters: are listed oldest first, by queue and by id, and in pages",
    async (scene) => {
      const ids = ["a", "b", "c", "b", "e"];
      await bury(
        scene,
        ids.map((id, index) => letterOf(scene, id, { attempts: index })),
      );
      const { deadLetters } = scene.broker;
      const list = async (query: Parameters<typeof deadLetters.list>[0]): Promise<string> =>
        (await deadLetters.list({ queue: scene.queue, ...query }))
          .map(({ id, attempts }) => `${id}${attempts}`)
          .join(" ");
      assert.equal(await list({}), "a0 b1 c2 b3 e4");
      assert.equal(await list({ id: "b" }), "b1 b3");
      assert.equal(await list({ id: "none" }), "");
      assert.equal(await list({ limit: 2 }), "a0 b1");
      const second = (await deadLetters.list({ queue: scene.queue, limit: 2 }))[1];
      assert.equal(await list({ limit: 2, after: second?.sequence ?? 0 }), "c2 b3");
      assert.equal(await list({ id: "b", after: second?.sequence ?? 0 }), "b3");
      const last = (await deadLetters.list({ queue: scene.queue })).at(-1)?.sequence ?? 0;
      assert.equal((await deadLetters.newest()) >= last, true);
      assert.equal((await deadLetters.newest({ once: true })) >= last, true);
      await bury(scene, [letterOf(scene, "f", { attempts: 5 })]);
      const added = (await deadLetters.list({ id: "f", queue: scene.queue }))[0]?.sequence ?? 0;
      assert.equal((await deadLetters.newest()) >= added, true);
      await deadLetters.remove(added);
      // It was there.
      assert.equal((await deadLetters.newest()) >= added, true);
      assert.deepEqual(await deadLetters.list({ queue: await scene.anotherQueue() }), []);
      await scene.showsAtOnce(
        "five dead letters",
        async () => (await scene.broker.queues.snapshot(scene.queue)).dead,
        5,
      );
    },
  ),

  conformanceCase("dead letters: exactly the one that is named is removed, once", async (scene) => {
    await bury(
      scene,
      ["a", "b", "b"].map((id) => letterOf(scene, id)),
    );
    const { deadLetters } = scene.broker;
    const sequence = (await deadLetters.list({ queue: scene.queue, id: "b" }))[0]?.sequence ?? 0;
    assert.equal(await deadLetters.remove(sequence), true);
    assert.equal(await deadLetters.remove(sequence), false);
    const left = await deadLetters.list({ queue: scene.queue });
    assert.deepEqual(
      left.map(({ id }) => id),
      ["a", "b"],
    );
    assert.ok(left.every((letter) => letter.sequence !== sequence));
  }),

  conformanceCase(
    "dead letters: one that is put back is as it was, and there once",
    async (scene) => {
      const letter = letterOf(scene, "back", {
        ...{ attempts: 3, headers: { "nats-msg-id": "theirs", "x-tenant": "seven" } },
        ...{ error: { type: "Error", message: "first\r\nsecond" }, door: "producer" },
        ...{ firstStoredAt: 5, unkeyed: 7, body: new Uint8Array([0, 255, 13, 10]) },
      });
      await bury(scene, [letter]);
      const { deadLetters } = scene.broker;
      const [buried] = await deadLetters.list({ queue: scene.queue });
      assert.ok(buried);
      await deadLetters.remove(buried.sequence);
      const { sequence: _, ...gone } = buried;
      const place = await deadLetters.add(gone, "undo/1");
      assert.ok(place > buried.sequence);
      assert.equal(await deadLetters.add(gone, "undo/1"), place);
      const back = await deadLetters.list({ queue: scene.queue });
      assert.deepEqual(back, [{ ...buried, sequence: place }]);
    },
  ),

  conformanceCase(
    "dead letters: their tail is whose were stored within some time of the newest letter",
    async (scene) => {
      await bury(scene, [letterOf(scene, "old")]);
      await scene.passes(2_500);
      const before = await scene.broker.serverNow();
      await bury(scene, [letterOf(scene, "a"), letterOf(scene, "b")]);
      // Other cases bury into the same store.
      const tail = async (limit: number, withinMs: number): Promise<readonly BuriedJob[]> =>
        (await scene.broker.deadLetters.tail({ withinMs, limit })).filter(
          ({ queue }) => queue === scene.queue,
        );
      const all = await tail(10_000, 60_000);
      assert.deepEqual(
        all.map(({ id }) => id),
        ["old", "a", "b"],
      );
      const recent = await tail(10_000, 2_400);
      assert.deepEqual(recent, all.slice(1));
      assert.ok(recent.every(({ storedAt }) => Math.abs(storedAt - before) < 60_000));
      assert.deepEqual(await tail(0, 60_000), []);
    },
  ),
];
