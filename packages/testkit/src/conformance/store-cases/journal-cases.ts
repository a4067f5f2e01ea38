import assert from "node:assert/strict";
import type { RunRef, StepRef } from "@millrace/core";
import { type ConformanceCase, conformanceCase, type Scene, sharedCase } from "../scene.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = ({ data }: { readonly data: Uint8Array }): string => new TextDecoder().decode(data);
const step = (name: string, n = 0): StepRef => ({ name, n });

function runOf(scene: Scene, more: Partial<RunRef> = {}): RunRef {
  const { id, queue, createdAt } = scene.job();
  const run = { id, queue, createdAt, ...more };
  scene.later(() => scene.broker.journal.remove(run));
  return run;
}

export const journalCases: readonly ConformanceCase[] = [
  conformanceCase(
    "journal: what is recorded of a run is read back, whatever its steps are called",
    async (scene) => {
      const { journal } = scene.broker;
      const run = runOf(scene);
      assert.deepEqual(await journal.read(run), []);
      const names = ["charge", "a > b. * …", "Überweisung 💶", "x".repeat(128)];
      for (const name of names)
        for (const n of [0, 1]) await journal.write(run, step(name, n), bytes(`${name} ${n}`));
      const read = (await journal.read(run)).map(textOf);
      assert.deepEqual(
        read.toSorted(),
        names.flatMap((name) => [`${name} 0`, `${name} 1`]).toSorted(),
      );
    },
  ),

  sharedCase(
    "journal: the first record of a step counts, and the second is told it",
    async (scene) => {
      const { journal } = scene.broker;
      const other = await scene.connect();
      const run = runOf(scene);
      const first = await journal.write(run, step("a"), bytes("first"));
      assert.equal(textOf(first), "first");
      const second = await other.journal.write(run, step("a"), bytes("second"));
      assert.equal(textOf(second), "first");
      assert.equal(second.revision, first.revision);
      assert.deepEqual((await other.journal.read(run)).map(textOf), ["first"]);
    },
  ),

  sharedCase(
    "journal: of many that record one step at once all are told the same",
    async (scene) => {
      const other = await scene.connect();
      const run = runOf(scene);
      const told = await Promise.all(
        Array.from({ length: 20 }, (_, writer) =>
          (writer % 2 === 0 ? scene.broker : other).journal.write(
            run,
            step("a"),
            bytes(`writer ${writer}`),
          ),
        ),
      );
      const texts = new Set(told.map(textOf));
      assert.equal(texts.size, 1);
      assert.deepEqual((await scene.broker.journal.read(run)).map(textOf), [...texts]);
    },
  ),

  conformanceCase("journal: a record is replaced by who names its revision", async (scene) => {
    const { journal } = scene.broker;
    const run = runOf(scene);
    const { revision } = await journal.write(run, step("a"), bytes("failed"));
    const again = await journal.write(run, step("a"), bytes("done"), { expected: revision });
    assert.equal(textOf(again), "done");
    const late = await journal.write(run, step("a"), bytes("late"), { expected: revision });
    assert.equal(textOf(late), "done");
    await assert.rejects(journal.write(run, step("b"), bytes("x"), { expected: revision }), {
      code: "conflict",
    });
  }),

  conformanceCase(
    "journal: a run is forgotten alone, and forgetting again is fine",
    async (scene) => {
      const { journal } = scene.broker;
      const run = runOf(scene);
      const later = runOf(scene, { id: run.id, createdAt: run.createdAt + 1 });
      for (const one of [run, later])
        for (const name of ["a", "b"]) await journal.write(one, step(name), bytes(name));
      await journal.remove(run);
      await journal.remove(run);
      assert.deepEqual(await journal.read(run), []);
      assert.equal((await journal.read(later)).length, 2);
      assert.equal(textOf(await journal.write(run, step("a"), bytes("anew"))), "anew");
    },
  ),

  conformanceCase("journal: nothing is recorded under a lease that is over", async (scene) => {
    const { journal } = scene.broker;
    const run = runOf(scene);
    const lease = { isHeld: () => false, onLost: () => {} };
    await assert.rejects(journal.write(run, step("a"), bytes("a"), { lease }), {
      code: "lease-lost",
    });
    assert.deepEqual(await journal.read(run), []);
  }),
];
