import assert from "node:assert/strict";
import type { DocumentStore } from "@millrace/core";
import { readWhileWritten } from "../read-while-written.ts";
import {
  type ConformanceCase,
  conformanceCase,
  rejectsWith,
  type Scene,
  sharedCase,
} from "../scene.ts";

/** One bucket serves all cases; each keeps to keys that begin with its queue's name. */
const BUCKET = "conformance";

interface Desk {
  readonly documents: DocumentStore;
  key(name: string): string;
}

async function desk(scene: Scene, ...keys: readonly string[]): Promise<Desk> {
  const documents = await scene.broker.documents(BUCKET);
  const key = (name: string): string => `${scene.queue}.${name}`;
  for (const name of keys) scene.later(() => documents.remove(key(name)));
  return { documents, key };
}

export const documentCases: readonly ConformanceCase[] = [
  conformanceCase("documents: what is put is got, whole, under its revision", async (scene) => {
    const { documents, key } = await desk(scene, "a");
    assert.equal(await documents.get(key("a")), undefined);
    const value = { text: "grüße", list: [1, 2.5, null, true], deep: { er: { still: "yes" } } };
    const revision = await documents.put(key("a"), value);
    assert.partialDeepStrictEqual(await documents.get(key("a")), {
      key: key("a"),
      value,
      revision,
    });
    const next = await documents.put(key("a"), { text: "new" });
    assert.ok(next > revision);
    assert.partialDeepStrictEqual(await documents.get(key("a")), {
      key: key("a"),
      value: { text: "new" },
      revision: next,
    });
  }),

  conformanceCase("documents: one that is too large is refused", async (scene) => {
    const { documents, key } = await desk(scene, "a");
    await rejectsWith(
      "payload-too-large",
      documents.put(key("a"), { text: "x".repeat(1_100_000) }),
    );
    assert.equal(await documents.get(key("a")), undefined);
  }),

  conformanceCase(
    "documents: a peek or a find shows what was just written, as a get does",
    async (scene) => {
      const { documents, key } = await desk(scene, "a", "b");
      assert.equal(await documents.peek(key("a")), undefined);
      let revision = 0;
      for (let n = 0; n < 20; n += 1) {
        revision = await documents.put(key("a"), { n }, revision);
        assert.partialDeepStrictEqual(await documents.peek(key("a")), { value: { n }, revision });
      }
      assert.deepStrictEqual(await documents.peek(key("a")), await documents.get(key("a")));
      assert.deepStrictEqual(await documents.find(key("a")), await documents.get(key("a")));
      await documents.put(key("b"), 1);
      await documents.remove(key("b"));
      assert.equal(await documents.peek(key("b")), undefined);
      assert.equal(await documents.find(key("b")), undefined);
    },
  ),

  conformanceCase("documents: their age is told by the server's clock alone", async (scene) => {
    const { documents, key } = await desk(scene, "a");
    const before = await documents.now();
    await documents.put(key("a"), 1);
    const first = await documents.get(key("a"));
    assert.ok(first !== undefined && first.updatedAt >= before);
    assert.ok(first.updatedAt <= (await documents.now()));
    const later = await scene.harness.eventually("the server's clock to go on", async () => {
      const now = await documents.now();
      return now > first.updatedAt && now;
    });
    await documents.put(key("a"), 2, first.revision);
    const second = await documents.get(key("a"));
    assert.ok(second !== undefined && second.updatedAt >= later);
    const listed = (await documents.list()).find((document) => document.key === key("a"));
    assert.deepEqual(listed, second);
  }),

  conformanceCase("documents: what is older than a bucket lets it be is gone", async (scene) => {
    const documents = await scene.broker.documents("conformance-short", { maxAgeMs: 1_000 });
    const key = `${scene.queue}.a`;
    const revision = await documents.put(key, 1);
    assert.ok(revision > 0);
    await scene.harness.eventually(
      "what was put to be gone by itself",
      async () => (await documents.get(key)) === undefined,
    );
    assert.ok((await documents.put(key, 2, 0)) > revision);
  }),

  conformanceCase(
    "documents: one that is erased is gone, and only at the revision it was looked at",
    async (scene) => {
      const { documents, key } = await desk(scene, "a");
      const first = await documents.put(key("a"), 1, 0);
      const second = await documents.put(key("a"), 2, first);
      assert.equal(await documents.erase(key("a"), first), false);
      assert.equal((await documents.get(key("a")))?.value, 2);
      assert.equal(await documents.erase(key("a"), second), true);
      assert.equal(await documents.get(key("a")), undefined);
      assert.equal(await documents.erase(key("a"), second), false);
      const third = await documents.put(key("a"), 3, 0);
      assert.ok(third > second, "revisions grow over an erasure");
      assert.equal((await documents.get(key("a")))?.value, 3);
    },
  ),

  conformanceCase(
    "documents: compare-and-set refuses what was changed meanwhile",
    async (scene) => {
      const { documents, key } = await desk(scene, "a", "b");
      const first = await documents.put(key("a"), 1, 0);
      await rejectsWith("revision-conflict", documents.put(key("a"), 2, 0));
      const second = await documents.put(key("a"), 2, first);
      await rejectsWith("revision-conflict", documents.put(key("a"), 3, first));
      await rejectsWith("revision-conflict", documents.remove(key("a"), first));
      await rejectsWith("revision-conflict", documents.put(key("b"), 1, second));
      const other = await documents.put(key("b"), 1, 0);
      assert.ok(other > second, "revisions grow over all keys");
      assert.equal((await documents.get(key("a")))?.value, 2);
      await documents.remove(key("a"), second);
      assert.equal(await documents.get(key("a")), undefined);
      const third = await documents.put(key("a"), 4, 0);
      assert.ok(third > second, "revisions grow over a removal");
    },
  ),

  conformanceCase(
    "documents: a list that is read while they are written again has all of them, each once",
    async (scene) => {
      const names = Array.from({ length: 220 }, (_, index) => `d${index}`);
      const { documents, key } = await desk(scene, ...names);
      await Promise.all(names.map((name) => documents.put(key(name), 0)));
      await readWhileWritten(
        1,
        (n) => documents.put(key(names[n % names.length] ?? ""), n),
        async () => {
          const mine = (await documents.list())
            .map((document) => document.key)
            .filter((found) => found.startsWith(`${scene.queue}.`));
          assert.deepEqual(mine.toSorted(), names.map(key).toSorted());
        },
      );
    },
  ),

  conformanceCase(
    "documents: pages have each document once, by when it was written, from either end",
    async (scene) => {
      const names = Array.from({ length: 130 }, (_, index) => `d${index}`);
      const { documents, key } = await desk(scene, ...names, "gone");
      for (const name of names) await documents.put(key(name), 0);
      // These are the newest now, and holes are where they were.
      const again = names.filter((_, index) => index % 3 === 0);
      for (const name of again) await documents.put(key(name), 1);
      await documents.put(key("gone"), 0);
      await documents.remove(key("gone"));
      const written = [...names.filter((name) => !again.includes(name)), ...again].map(key);
      for (const order of ["oldest first", "newest first"] as const) {
        const read: string[] = [];
        let after: number | undefined;
        do {
          const from = after === undefined ? {} : { after };
          const page = await documents.page({ under: scene.queue, order, limit: 40, ...from });
          assert.ok(page.documents.length <= 40);
          read.push(...page.documents.map((document) => document.key));
          after = page.next;
        } while (after !== undefined);
        assert.deepEqual(order === "oldest first" ? read : read.toReversed(), written, order);
      }
      const one = await documents.page({ under: scene.queue, order: "oldest first", limit: 1 });
      const { key: first = "", revision } = one.documents[0] ?? {};
      assert.deepEqual([first, revision, one.next], [written[0], one.next, revision]);
      const nobody = { under: `${scene.queue}x`, order: "newest first", limit: 9 } as const;
      assert.deepEqual(await documents.page(nobody), { documents: [] });
    },
  ),

  conformanceCase(
    "documents: are listed until they are removed, and removing what is gone is fine",
    async (scene) => {
      const { documents, key } = await desk(scene, "a", "b.c");
      await documents.put(key("a"), "first");
      await documents.put(key("b.c"), "second");
      const mine = async (): Promise<readonly unknown[]> =>
        (await documents.list())
          .filter((document) => document.key.startsWith(`${scene.queue}.`))
          .map((document) => [document.key, document.value])
          .toSorted();
      assert.deepEqual(await mine(), [
        [key("a"), "first"],
        [key("b.c"), "second"],
      ]);
      await documents.remove(key("a"));
      await documents.remove(key("a"));
      assert.deepEqual(await mine(), [[key("b.c"), "second"]]);
    },
  ),

  conformanceCase(
    "documents: a watcher is told of what changes from then on, until it stops",
    async (scene) => {
      const { documents, key } = await desk(scene, "a", "marker");
      await documents.put(key("a"), "before");
      const seen: unknown[] = [];
      const markers: unknown[] = [];
      const watcher = await documents.watch(({ key: changed, document }) => {
        if (changed === key("a")) seen.push(document?.value);
      });
      scene.later(() => watcher.stop());
      const told = (count: number): Promise<unknown> =>
        scene.harness.eventually(`change ${count}`, () => seen.length >= count);
      // One after the other: of two in quick succession the first may be gone before the watcher is
      // told.
      const revision = await documents.put(key("a"), "one");
      await told(1);
      await documents.put(key("a"), "two", revision);
      await told(2);
      await documents.remove(key("a"));
      await told(3);
      await watcher.stop();
      await watcher.stop();
      const second = await documents.watch(
        ({ key: changed }) => void (changed === key("marker") && markers.push(changed)),
      );
      scene.later(() => second.stop());
      await documents.put(key("a"), "after");
      await documents.put(key("marker"), true);
      await scene.harness.eventually("the marker", () => markers.length === 1);
      assert.deepEqual(seen, ["one", "two", undefined]);
    },
  ),

  sharedCase(
    "documents: what another connection puts is heard, what it removes is not, until one hears no more",
    async (scene) => {
      const { documents, key } = await desk(scene, "a", "b", "probe");
      const other = await (await scene.connect()).documents(BUCKET);
      const heard: unknown[] = [];
      let probes = 0;
      const ear = await documents.hearPuts((put) => {
        if (put.key === key("probe")) probes += 1;
        else if (put.key.startsWith(`${scene.queue}.`)) heard.push([put.key, put.value]);
      });
      scene.later(() => ear.stop());
      // That somebody listens at one member of a cluster reaches the others a moment later.
      await scene.harness.eventually("a put is heard", async () => {
        await other.put(key("probe"), probes);
        return probes > 0;
      });
      const first = await other.put(key("a"), { n: 1 });
      await other.remove(key("a"));
      await other.put(key("b"), { n: 2 });
      await scene.harness.eventually("both puts", () => heard.length >= 2);
      await ear.stop();
      await ear.stop();
      await other.put(key("a"), { n: 3 });
      // What is stored has passed whoever listens.
      await scene.harness.eventually("the third put is there", async () => {
        const { revision = 0 } = (await documents.get(key("a"))) ?? {};
        return revision > first;
      });
      assert.deepEqual(heard, [
        [key("a"), { n: 1 }],
        [key("b"), { n: 2 }],
      ]);
    },
  ),

  conformanceCase(
    "documents: forgetting what was removed touches nothing that is there, and revisions go on growing",
    async (scene) => {
      const { documents, key } = await desk(scene, "gone", "back", "there");
      const revisions: number[] = [];
      for (const name of ["gone", "back", "there"])
        revisions.push(await documents.put(key(name), name));
      await documents.remove(key("gone"));
      await documents.remove(key("back"));
      revisions.push(await documents.put(key("back"), "again"));
      await documents.forgetRemoved({ olderThanMs: 3_600_000 });
      await documents.forgetRemoved({ olderThanMs: 0 });
      await documents.forgetRemoved({ olderThanMs: 0 });
      assert.equal(await documents.get(key("gone")), undefined);
      assert.equal((await documents.get(key("back")))?.value, "again");
      assert.equal((await documents.get(key("there")))?.value, "there");
      revisions.push(await documents.put(key("gone"), "new", 0));
      assert.deepEqual(
        revisions.toSorted((a, b) => a - b),
        revisions,
      );
    },
  ),

  sharedCase(
    "documents: of many writers that expect the same revision, on two connections, exactly one wins",
    async (scene) => {
      const { documents, key } = await desk(scene, "a");
      const other = await (await scene.connect()).documents(BUCKET);
      const revision = await documents.put(key("a"), 0);
      const written = await Promise.allSettled(
        Array.from({ length: 10 }, (_, index) =>
          (index % 2 === 0 ? other : documents).put(key("a"), index, revision),
        ),
      );
      assert.equal(written.filter(({ status }) => status === "fulfilled").length, 1);
      for (const result of written)
        if (result.status === "rejected")
          await rejectsWith("revision-conflict", Promise.reject(result.reason));
    },
  ),
];
