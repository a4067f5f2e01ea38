import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { defineJob, createNode } from "millrace";
import { createSyncOutbox, sqliteTransaction } from "millrace/outbox";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { millraceHere, startMillrace } from "./millrace.ts";

vi.setConfig({ testTimeout: 120_000 });

const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });
const outbox = createSyncOutbox(sqliteTransaction);

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-outbox-"));
  path = join(dir, "shop.db");
});
afterEach(() => rm(dir, { recursive: true }));

function opened(): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 5_000 });
  cleanUpLater(() => database.close());
  return database;
}

interface Status {
  readonly queues: readonly { readonly queue: string; readonly waiting: number }[];
  readonly setAside: readonly { readonly id: string; readonly reason: string }[];
}

test("migrate makes the tables, once and again; status and retry read them", async () => {
  const of = ["--outbox-sqlite", path];
  const early = await millraceHere(["outbox", "status", ...of, "--json"]);
  expect(early.code).toBe(3);
  expect(early.json()).toMatchObject({ error: { code: "outbox-failed" } });
  for (const _ of [1, 2])
    expect(await millraceHere(["outbox", "migrate", ...of])).toMatchObject({ code: 0 });
  expect((await millraceHere(["outbox", "status", ...of])).out).toBe("the outbox is empty\n");
  outbox(opened()).enqueue(mail, { to: "ada" });
  const { queues } = (await millraceHere(["outbox", "status", ...of, "--json"])).json<Status>();
  expect(queues).toMatchObject([{ queue: "mail", waiting: 1, setAside: 0 }]);
  opened().exec(
    "UPDATE millrace_outbox SET set_aside_at = 1, reason = 'undecodable', detail = 'no job'",
  );
  const shown = await millraceHere(["outbox", "status", ...of]);
  expect(shown.out).toContain("undecodable: no job");
  expect((await millraceHere(["outbox", "retry", "shop", ...of, "--json"])).json()).toEqual({
    retried: 0,
  });
  expect((await millraceHere(["outbox", "retry", "mail", ...of])).out).toBe(
    "1 row is to be published\n",
  );
});

test("migrate prints the SQL of either database", async () => {
  const postgres = await millraceHere(["outbox", "migrate", "--print"]);
  expect(postgres.out).toContain("CREATE OR REPLACE FUNCTION millrace_enqueue");
  const sqlite = await millraceHere(["outbox", "migrate", "--print", "--outbox-sqlite", path]);
  expect(sqlite.out).toContain("AUTOINCREMENT");
});

test("without an outbox in the configuration the commands say how to name one", async () => {
  for (const name of ["status", "retry", "relay", "migrate"]) {
    const { code, err } = await millraceHere(["outbox", name]);
    expect(code).toBe(2);
    expect(err).toContain("MILLRACE_OUTBOX_POSTGRES");
  }
});

describeEachServer("millrace outbox relay, and a node that relays", (server) => {
  async function ran(start: (namespace: string) => Promise<void>): Promise<string> {
    await millraceHere(["outbox", "migrate", "--outbox-sqlite", path]);
    const namespace = server.namespace();
    const done = Promise.withResolvers<string>();
    const node = await createNode({
      servers: server.url,
      namespace,
      env: {},
      jobs: [mail.handler(({ input }) => done.resolve(input.to))],
    });
    cleanUpLater(() => node.stop());
    await node.start();
    await start(namespace);
    outbox(opened()).enqueue(mail, { to: "ada" });
    return within(done.promise, 60_000, "the job ran");
  }

  test("the command publishes until it is stopped", async () => {
    const relayed = await ran(async (namespace) => {
      const relay = startMillrace([
        ...["outbox", "relay", "--outbox-sqlite", path, "--json"],
        ...["--server", server.url, "--namespace", namespace],
      ]);
      cleanUpLater(async () => {
        relay.signal("SIGTERM");
        expect(await relay.exit(20_000)).toEqual({ code: 0, signal: null });
      });
      expect(JSON.parse(await relay.line(/relaying/, 30_000))).toEqual({
        relaying: true,
        namespace,
      });
    });
    expect(relayed).toBe("ada");
  });

  test("a node whose configuration names an outbox relays it", async () => {
    const relayed = await ran(async (namespace) => {
      const other = await createNode({
        servers: server.url,
        namespace,
        outboxSqlite: path,
        env: {},
        jobs: [defineJob({ name: "other", queue: "other" }).handler(() => {})],
      });
      cleanUpLater(() => other.stop());
      await other.start();
    });
    expect(relayed).toBe("ada");
  });

  test("the doctor finds rows that wait", async () => {
    await millraceHere(["outbox", "migrate", "--outbox-sqlite", path]);
    const database = opened();
    outbox(database).enqueue(mail, { to: "ada" });
    database.exec("UPDATE millrace_outbox SET created_at = 1");
    const of = ["--server", server.url, "--outbox-sqlite", path, "--json"];
    const { code, json } = await millraceHere(["doctor", ...of]);
    expect(code).toBe(1);
    const { findings } = json<{ findings: readonly { check: string; status: string }[] }>();
    expect(findings).toContainEqual(
      expect.objectContaining({ check: "outbox, queue mail", status: "fail" }),
    );
  });
});
