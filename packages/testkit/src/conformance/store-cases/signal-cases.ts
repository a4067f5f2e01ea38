import assert from "node:assert/strict";
import {
  MAX_SIGNAL_BYTES,
  MAX_WAITING_SIGNALS,
  type SignalRef,
  type StoredSignal,
} from "@millrace/core";
import { type ConformanceCase, conformanceCase, rejectsWith, type Scene } from "../scene.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = ({ data }: StoredSignal): string => new TextDecoder().decode(data);

function signalOf(scene: Scene, name: string, more: Partial<SignalRef> = {}): SignalRef {
  const { id, queue } = scene.job();
  const ref = { id, queue, name, ...more };
  scene.later(() => scene.broker.signals.remove(ref));
  return ref;
}

export const signalCases: readonly ConformanceCase[] = [
  conformanceCase(
    "signals: are read in their order, with what their sender said",
    async (scene) => {
      const { signals } = scene.broker;
      const ref = signalOf(scene, "approval:1");
      assert.deepEqual(await signals.read(ref), []);
      const before = scene.harness.now();
      await signals.send(ref, { data: bytes("one"), signalId: "s-1", contentType: "text/plain" });
      await signals.send({ ...ref, name: "other" }, { data: bytes("another") });
      await signals.send(ref, { data: new Uint8Array() });
      const read = await signals.read(ref);
      assert.deepEqual(read.map(textOf), ["one", ""]);
      const [one, two] = read as [StoredSignal, StoredSignal];
      assert.deepEqual([one.signalId, one.contentType], ["s-1", "text/plain"]);
      assert.deepEqual([two.signalId, two.contentType], [undefined, undefined]);
      assert.ok(one.sequence < two.sequence);
      assert.ok(Math.abs(one.storedAt - before) < 60_000);
    },
  ),

  conformanceCase("signals: one is forgotten alone, and a job's all at once", async (scene) => {
    const { signals } = scene.broker;
    const ref = signalOf(scene, "a");
    const others = signalOf(scene, "a");
    for (const one of [ref, ref, { ...ref, name: "b" }, others])
      await signals.send(one, { data: bytes("x") });
    const [first] = await signals.read(ref);
    assert.ok(first !== undefined);
    await signals.drop(ref, first.sequence);
    await signals.drop(ref, first.sequence);
    assert.equal((await signals.read(ref)).length, 1);
    const newest = await signals.newest(ref);
    await signals.send({ ...ref, name: "b" }, { data: bytes("later") });
    assert.ok(newest < (await signals.newest(ref)));
    await signals.remove(ref, newest);
    assert.deepEqual(await signals.read(ref), []);
    assert.deepEqual((await signals.read({ ...ref, name: "b" })).map(textOf), ["later"]);
    await signals.remove(ref);
    await signals.remove(ref);
    assert.equal(await signals.newest(ref), 0);
    assert.deepEqual(await signals.read({ ...ref, name: "b" }), []);
    assert.equal((await signals.read(others)).length, 1);
  }),

  conformanceCase(
    "signals: no more of one name than may wait, none larger than may be",
    async (scene) => {
      const { signals } = scene.broker;
      const ref = signalOf(scene, "a");
      await rejectsWith(
        "payload-too-large",
        signals.send(ref, { data: new Uint8Array(MAX_SIGNAL_BYTES + 8_192) }),
      );
      await signals.send(ref, { data: new Uint8Array(MAX_SIGNAL_BYTES) });
      for (let i = 1; i < MAX_WAITING_SIGNALS; i += 1)
        await signals.send(ref, { data: bytes(String(i)) });
      if (scene.harness.leadersDie !== true)
        await rejectsWith("queue-full", signals.send(ref, { data: bytes("more") }));
      await signals.send({ ...ref, name: "b" }, { data: bytes("fits") });
      assert.equal((await signals.read(ref)).length, MAX_WAITING_SIGNALS);
    },
  ),

  conformanceCase(
    "signals: whoever follows is told of each, and again where it could not hear",
    async (scene) => {
      const { signals } = scene.broker;
      const ref = signalOf(scene, "before");
      await signals.send(ref, { data: bytes("x") });
      const told: string[] = [];
      const following = await signals.follow(async ({ id, queue, name }) => {
        if (id !== ref.id || queue !== ref.queue) return;
        told.push(name);
        if (told.filter((one) => one === name).length === 1) throw new Error("not yet");
      });
      scene.later(() => following.stop());
      await signals.send({ ...ref, name: "after" }, { data: bytes("x") });
      await scene.harness.eventually("both to be told twice", () =>
        ["before", "after"].every((name) => told.filter((one) => one === name).length >= 2),
      );
      await following.stop();
    },
  ),
];
