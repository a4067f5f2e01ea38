import {
  type BatchEnded,
  defineJob,
  joinBatch,
  MillraceError,
  planJob,
  silentLogger,
  UNSETTLED,
} from "@millrace/core";
import { beforeEach, expect, test, vi } from "vitest";
import type { OutboxStore } from "../store/outbox-store.ts";
import { batchSweep } from "./batch-sweep.ts";
import { type RelayScene, relayScene } from "./relay-scene.fixture.ts";
import { succeedFirst } from "./succeed-first.fixture.ts";

const page = defineJob<null>({ name: "page", queue: "pages" });
const bind = defineJob<BatchEnded<null>>({ name: "bind", queue: "books" });
const callback = { job: bind, input: null };
const { signal: going } = new AbortController();

let scene: RelayScene;
beforeEach(async () => {
  scene = await relayScene("pages", "books");
});

function book(pages = [planJob(page, null, { id: "p" })]): void {
  scene.outbox(scene.database).batch(pages, { id: "b", callback });
}
const isOpen = async (): Promise<boolean> => (await scene.broker.batches.find("b")) !== undefined;
const aside = async (): Promise<readonly string[]> =>
  (await scene.store.listSetAside(9)).map(({ id }) => id);
const isGone = () => new MillraceError("broker-unavailable", "It died.");

/** A database that takes no job of the batch. */
function refusing(meanwhile = async (): Promise<void> => {}): OutboxStore {
  const cause = Object.assign(new Error("no such letter"), { code: "22P05" });
  return {
    ...scene.store,
    async replace() {
      await meanwhile();
      throw new MillraceError("outbox-failed", "It refuses.", { cause });
    },
  };
}

/** As a client does it that makes a batch of the id. */
async function joinAsClient(isKey = true): Promise<number> {
  const { broker, clock } = scene;
  const createdAt = clock.now() + 60_000;
  const given = { id: "b:callback", name: "bind", queue: "books", payload: null, headers: {} };
  const theirs = { ...given, ...UNSETTLED, createdAt };
  const made = { id: "b", createdAt, callback: theirs };
  await joinBatch(broker, made, [{ id: "n", queue: "pages" }], { isKey });
  return createdAt;
}

test("a batch whose jobs the database refuses is not left open", async () => {
  book();
  await scene.relayOn({ store: refusing() }).round();
  expect([await aside(), await isOpen()]).toEqual([["b"], false]);
  await scene.store.retry();
  for (const _ of [1, 2]) await scene.relayOn().round();
  expect(await scene.queued("pages")).toEqual(["p"]);
});

test("one that was there before is somebody else's, and stays open", async () => {
  await joinAsClient();
  book();
  await scene.relayOn({ store: refusing() }).round();
  expect([await aside(), await isOpen()]).toEqual([["b"], true]);
});

test("one that somebody has joined while the database refused its jobs is that one's, and stays", async () => {
  book();
  let joinedAt = 0;
  const store = refusing(async () => {
    joinedAt = await joinAsClient();
  });
  await scene.relayOn({ store }).round();
  expect(await aside()).toEqual(["b"]);
  expect(await scene.broker.batches.find("b")).toMatchObject({ callback: { createdAt: joinedAt } });
});

test("one of a relay that died before it took it back is taken back by the next", async () => {
  book();
  const remove = vi.spyOn(scene.broker.batches, "remove").mockRejectedValueOnce(isGone());
  await scene.relayOn({ store: refusing() }).round();
  expect([await aside(), await isOpen()]).toEqual([[], true]);
  expect(remove).toHaveBeenCalledOnce();
  await scene.relayOn({ store: refusing() }).round();
  expect([await aside(), await isOpen()]).toEqual([["b"], false]);
});

test("a batch of nothing calls back where the relay that closed it died before that", async () => {
  book([]);
  vi.spyOn(scene.broker, "requeue").mockRejectedValueOnce(isGone());
  await scene.relayOn().round();
  expect([await scene.queued("books"), scene.rows()]).toEqual([[], 1]);
  await scene.relayOn().round();
  expect([await scene.queued("books"), scene.rows()]).toEqual([["b:callback"], 0]);
  expect(await isOpen()).toBe(false);
});

test("one whose callback can never be enqueued is set aside, and does not stay", async () => {
  book([]);
  const tooLarge = new MillraceError("payload-too-large", "It is.");
  vi.spyOn(scene.broker, "requeue").mockRejectedValueOnce(tooLarge);
  await scene.relayOn().round();
  expect([await aside(), await isOpen()]).toEqual([["b"], false]);
  await scene.store.retry();
  await scene.relayOn().round();
  expect([await scene.queued("books"), scene.rows()]).toEqual([["b:callback"], 0]);
});

test("a batch that somebody joins while the sweep looks at it stays", async () => {
  const { broker, clock, database, store } = scene;
  book();
  await scene.relayOn().round();
  database.exec("UPDATE millrace_outbox_batch SET opened_at = 0");
  const made = await broker.batches.find("b");
  if (made === undefined) throw new Error("the batch is not known");
  await broker.requeue(made.callback);
  const record = { id: "b:callback", name: "bind", door: "runtime" } as const;
  const { createdAt } = made.callback;
  await succeedFirst({ broker, clock }, "books", { ...record, createdAt });
  let joinedAt = 0;
  const find = vi.spyOn(broker.batches, "find").mockImplementationOnce(async () => {
    find.mockRestore();
    joinedAt = await joinAsClient(false);
    return made;
  });
  await batchSweep({ broker, store, logger: silentLogger }).next(0, going);
  expect((await broker.batches.find("b"))?.callback.createdAt).toBe(joinedAt);
  expect(await store.batches({ olderThanMs: 0, after: undefined, limit: 9 })).toEqual(["b"]);
});

test("who joins a batch that is taken back meanwhile makes it anew", async () => {
  const { batches } = scene.broker;
  book();
  await scene.relayOn({ broker: scene.broker }).round();
  const { join } = batches;
  vi.spyOn(batches, "join").mockImplementationOnce(async (...given) => {
    await join.apply(batches, given);
    await batches.remove("b");
  });
  const joinedAt = await joinAsClient();
  expect(await batches.find("b")).toMatchObject({ createdAt: joinedAt });
  expect(await batches.left("b")).toBe(1);
});

test.each(["b", undefined])(
  "a batch that two relays have in hand, and the database refuses to one, is set aside: id %s",
  async (id) => {
    const named = id === undefined ? {} : { id };
    scene.outbox(scene.database).batch([planJob(page, null, { id: "p" })], { ...named, callback });
    const [joined, takenBack, replaced] = [latch(), latch(), latch()];
    const refused = (): never => {
      const cause = Object.assign(new Error("no such letter"), { code: "22P05" });
      throw new MillraceError("outbox-failed", "It refuses.", { cause });
    };
    // The one is refused once the other has joined, and takes the batch back.
    const one: OutboxStore = {
      ...scene.store,
      replace: async () => joined.promise.then(refused),
      setAside: async (...given) => {
        takenBack.resolve();
        await replaced.promise;
        return scene.store.setAside(...given);
      },
    };
    // The other finds nothing of it then. Nothing in the row's place is no letter to refuse.
    const other: OutboxStore = {
      ...scene.store,
      replace: async (queue, claim, seq, jobs) => {
        if (jobs.length > 0) return refused();
        return scene.store.replace(queue, claim, seq, jobs).finally(() => replaced.resolve());
      },
      setAside: (...given) => scene.store.setAside(...given).finally(() => replaced.resolve()),
    };
    const { batches } = scene.broker;
    const late = withMethods(scene.broker, {
      batches: withMethods(batches, {
        join: async (...given: Parameters<typeof batches.join>) => {
          await batches.join(...given);
          joined.resolve();
          await takenBack.promise;
        },
      }),
    });
    await Promise.all([
      scene.relayOn({ store: one }).round(),
      scene.relayOn({ store: other, broker: late }).round(),
    ]);
    expect(await aside()).toHaveLength(1);
  },
);

function latch(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  return Promise.withResolvers<void>();
}

/** The same object, with some of its methods replaced. */
function withMethods<Target extends object>(target: Target, own: Partial<Target>): Target {
  return new Proxy(target, {
    get: (real, name): unknown => {
      if (Object.hasOwn(own, name)) return Reflect.get(own, name);
      const value: unknown = Reflect.get(real, name);
      return typeof value === "function" ? (value.bind(real) as unknown) : value;
    },
  });
}
