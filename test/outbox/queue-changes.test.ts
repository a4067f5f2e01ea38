// What happens to a queue or a database behind a relay's back: ids that are there already, a queue
// that is deleted and made anew, a database that is restored from a backup.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Clock, systemClock } from "@millrace/core";
import { connect, createNode, defineJob, type Millrace } from "millrace";
import {
  createSyncOutbox,
  type OutboxStore,
  sqliteOutbox,
  sqliteTransaction,
  startRelay,
} from "millrace/outbox";
import { expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServerWith211 } from "../harness/servers.ts";

vi.setConfig({ testTimeout: 180_000 });

const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });
const outbox = createSyncOutbox(sqliteTransaction);

await describeEachServerWith211("an outbox, and what changes behind its back", (server) => {
  interface Scene {
    readonly millrace: Millrace;
    readonly namespace: string;
    readonly dir: string;
    readonly path: string;
  }

  async function scene(): Promise<Scene> {
    const dir = await mkdtemp(join(tmpdir(), "millrace-outbox-"));
    cleanUpLater(() => rm(dir, { recursive: true }));
    const path = join(dir, "shop.db");
    const store = sqliteOutbox({ path });
    await store.migrate();
    await store.close();
    const namespace = server.namespace();
    const millrace = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => millrace.close());
    await millrace.queues.ensure("mail");
    return { millrace, namespace, dir, path };
  }

  function write(path: string, ids: readonly string[]): void {
    const database = new DatabaseSync(path, { timeout: 20_000 });
    outbox(database).enqueueMany(
      mail,
      ids.map((id) => ({ id, input: { to: id } })),
    );
    database.close();
  }

  /** Relays until nothing waits. */
  async function relayed({ millrace }: Scene, path: string): Promise<void> {
    const store = sqliteOutbox({ path });
    const relay = await startRelay({ broker: millrace.broker, store, pollMs: 50 });
    try {
      await waitingIn(path, 0);
    } finally {
      await relay.stop();
    }
  }

  async function waitingIn(path: string, count: number): Promise<void> {
    const store: OutboxStore = sqliteOutbox({ path });
    try {
      await eventually(
        async () => (await store.status()).reduce((sum, one) => sum + one.waiting, 0) === count,
        { withinMs: 60_000, describe: `${count} rows wait` },
      );
    } finally {
      await store.close();
    }
  }

  const queued = async ({ millrace }: Scene): Promise<readonly string[]> =>
    (await millrace.broker.listWaiting("mail")).map(({ envelope }) => envelope.id);

  test("an id that its queue has already is one job, and the rows around it are published", async () => {
    const here = await scene();
    await here.millrace.enqueue(mail, { to: "b" }, { id: "b" });
    write(here.path, ["a", "b", "c", "c"]);
    await relayed(here, here.path);
    expect(await queued(here)).toEqual(["b", "a", "c"]);
    write(here.path, ["a", "b"]);
    await relayed(here, here.path);
    expect(await queued(here)).toEqual(["b", "a", "c"]);
  });

  test("a queue that is deleted keeps its rows waiting, and gets them once when it is made anew", async () => {
    const here = await scene();
    write(here.path, ["a"]);
    await relayed(here, here.path);
    await here.millrace.queues.remove("mail");
    write(here.path, ["b", "c"]);
    const store = sqliteOutbox({ path: here.path });
    const relay = await startRelay({ broker: here.millrace.broker, store, pollMs: 50 });
    cleanUpLater(() => relay.stop());
    await eventually(() => relay.health().waiting.length === 1, {
      withinMs: 60_000,
      describe: "the relay says that the queue is missing",
    });
    await waitingIn(here.path, 2);
    await here.millrace.queues.ensure("mail");
    await waitingIn(here.path, 0);
    expect(await queued(here)).toEqual(["b", "c"]);
  });

  test("rows of a queue that stays away for an hour are set aside, and published once it is back", async () => {
    const here = await scene();
    await here.millrace.queues.remove("mail");
    write(here.path, ["a", "b"]);
    const store = sqliteOutbox({ path: here.path });
    let laterMs = 0;
    const clock: Clock = {
      now: () => systemClock.now(),
      monotonic: () => systemClock.monotonic() + laterMs,
      setTimer: (ms, run) => systemClock.setTimer(ms, run),
    };
    const relay = await startRelay({ broker: here.millrace.broker, store, clock, pollMs: 50 });
    try {
      await eventually(async () => (await store.status())[0]?.trouble !== undefined, {
        ...{ withinMs: 60_000, describe: "it is said why they wait" },
      });
      expect(await store.status()).toMatchObject([
        {
          waiting: 2,
          setAside: 0,
          trouble: { message: expect.stringMatching(/^queue-not-found/) },
        },
      ]);
      laterMs = 3_600_000;
      await waitingIn(here.path, 0);
      expect(await store.listSetAside(10)).toMatchObject([
        { id: "a", reason: "queue-not-found" },
        { id: "b", reason: "queue-not-found" },
      ]);
      await here.millrace.queues.ensure("mail");
      expect(await store.retry("mail")).toBe(2);
      await eventually(async () => (await queued(here)).length === 2, {
        ...{ withinMs: 60_000, describe: "both are published" },
      });
    } finally {
      await relay.stop();
    }
    expect(await queued(here)).toEqual(["a", "b"]);
  });

  test("a database that is restored from a backup publishes nothing twice that its queue remembers", async () => {
    const here = await scene();
    const backup = join(here.dir, "backup.db");
    write(here.path, ["a", "b"]);
    const database = new DatabaseSync(here.path, { timeout: 20_000 });
    database.prepare("VACUUM INTO ?").run(backup);
    database.close();
    write(here.path, ["lost"]);
    await relayed(here, here.path);
    expect(await queued(here)).toEqual(["a", "b", "lost"]);
    write(backup, ["after"]);
    await relayed(here, backup);
    expect(await queued(here)).toEqual(["a", "b", "lost", "after"]);
  });

  /**
   * A claim is published, and its relay dies before it has noted that. The queue forgets ids at
   * once: it can't tell. On 2.12 the mark does; older servers are asked for each job.
   *
   * @param meanwhile before another relay finds the claim
   */
  async function claimComesBack(here: Scene, meanwhile: () => Promise<void>): Promise<void> {
    await here.millrace.queues.ensure("mail", { dedupeWindowMs: 100 });
    const backup = join(here.dir, "backup.db");
    write(here.path, ["a", "b"]);
    const store = sqliteOutbox({ path: here.path });
    await store.mark("mail");
    await store.claim("mail", { rows: 500, bytes: 1_000_000 });
    await store.close();
    const database = new DatabaseSync(here.path, { timeout: 20_000 });
    database.prepare("VACUUM INTO ?").run(backup);
    database.close();
    await relayed(here, here.path);
    await meanwhile();
    const { broker } = here.millrace;
    const publishedAt = await broker.serverNow();
    await eventually(async () => (await broker.serverNow()) > publishedAt + 1_000, {
      withinMs: 60_000,
      describe: "the queue has forgotten the ids",
    });
    await relayed(here, backup);
  }

  test("a claim that was published longer ago than the queue remembers is not published again", async () => {
    const here = await scene();
    await claimComesBack(here, async () => {});
    expect(await queued(here)).toEqual(["a", "b"]);
  });

  test("nor is one whose jobs have run since", async () => {
    const here = await scene();
    const ran: string[] = [];
    const { url: servers } = server;
    const node = await createNode({
      ...{ servers, namespace: here.namespace, env: {}, slots: 1 },
      jobs: [mail.handler(({ input }) => void ran.push(input.to))],
    });
    cleanUpLater(() => node.stop());
    await node.start();
    const hasRun = (id: string) => here.millrace.handle(id, "mail").result({ timeout: "60s" });
    await claimComesBack(here, async () => {
      await hasRun("a");
      await hasRun("b");
    });
    // It comes behind whatever was published twice.
    await (await here.millrace.enqueue(mail, { to: "c" })).result({ timeout: "60s" });
    expect(ran).toEqual(["a", "b", "c"]);
  });
});
