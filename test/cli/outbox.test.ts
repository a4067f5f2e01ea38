import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createNode, defineJob, runNode } from "millrace";
import { createSyncOutbox, sqliteTransaction } from "millrace/outbox";
import { findFreePort } from "@millrace/nats-server";
import { beforeEach, expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { millraceHere, startMillrace } from "./millrace.ts";

vi.setConfig({ testTimeout: 300_000 });

const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });
const outbox = createSyncOutbox(sqliteTransaction);

let path: string;
beforeEach(async () => {
  const dir = await mkdtemp(join(tmpdir(), "millrace-outbox-"));
  // First, so that it is carried out last: a relay that still runs would write there meanwhile.
  cleanUpLater(() => rm(dir, { recursive: true }));
  path = join(dir, "shop.db");
});

function opened(): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 20_000 });
  cleanUpLater(() => database.close());
  return database;
}

async function ask(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url, { headers: { connection: "close" } });
  return { status: response.status, text: await response.text() };
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
  const setAside = (headers: unknown): void =>
    void opened()
      .prepare(
        "UPDATE millrace_outbox SET set_aside_at = 1, reason = 'undecodable', detail = 'no job', headers = ?",
      )
      .run(JSON.stringify(headers));
  for (const none of [null, { traceparent: 7 }, { traceparent: "?" }]) {
    setAside(none);
    const shown = await millraceHere(["outbox", "status", ...of]);
    expect(shown.out).toMatch(/ ago +undecodable: no job$/m);
  }
  const traceId = "a".repeat(32);
  setAside({ traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
  const traced = await millraceHere(["outbox", "status", ...of, "--json"]);
  expect(traced.json<Status>().setAside).toMatchObject([{ traceId }]);
  const linked = ["outbox", "status", ...of, "--trace-url", "http://jaeger/{traceId}"];
  expect((await millraceHere(linked)).out).toContain(`http://jaeger/${traceId}  undecodable`);
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
        ...["outbox", "relay", "--outbox-sqlite", path, "--json", "--health-port", "0"],
        ...["--server", server.url, "--namespace", namespace],
      ]);
      cleanUpLater(async () => {
        relay.signal("SIGTERM");
        expect(await relay.exit(90_000)).toEqual({ code: 0, signal: null });
      });
      const told: unknown = JSON.parse(await relay.line(/relaying/, 120_000));
      expect(told).toMatchObject({ relaying: true, namespace });
      const { healthUrl } = told as { healthUrl: string };
      await eventually(async () => (await ask(`${healthUrl}/readyz`)).status === 200, {
        withinMs: 60_000,
        describe: "the relay is ready",
      });
      expect(JSON.parse((await ask(`${healthUrl}/livez`)).text)).toMatchObject({
        ...{ live: true, ready: true, problems: [], broker: "connected", waiting: [] },
      });
      expect((await ask(`${healthUrl}/metrics`)).status).toBe(200);
    });
    expect(relayed).toBe("ada");
  });

  test("the command answers probes while it waits for its server and its database", async () => {
    const port = await findFreePort();
    const relay = startMillrace([
      ...["outbox", "relay", "--outbox-sqlite", path, "--health-port", String(port)],
      ...["--server", `nats://127.0.0.1:${await findFreePort()}`],
    ]);
    cleanUpLater(() => relay.kill());
    const answer = (probe: string) => ask(`http://127.0.0.1:${port}/${probe}`);
    await eventually(async () => (await answer("livez")).status === 200, {
      withinMs: 60_000,
      describe: "the relay is alive",
    });
    const { status, text } = await answer("readyz");
    expect(status).toBe(503);
    expect(text).toContain("waiting for a NATS server");
    relay.signal("SIGTERM");
    expect(await relay.exit(90_000)).toEqual({ code: 0, signal: null });
  });

  test("a relay whose database has no tables is not ready, and says what to do", async () => {
    const relay = startMillrace([
      ...["outbox", "relay", "--outbox-sqlite", path, "--json", "--health-port", "0"],
      ...["--server", server.url, "--namespace", server.namespace()],
    ]);
    cleanUpLater(() => relay.kill());
    const { healthUrl } = JSON.parse(await relay.line(/relaying/, 120_000)) as {
      healthUrl: string;
    };
    const { problems } = await eventually(
      async () => {
        const { status, text } = await ask(`${healthUrl}/readyz`);
        return status === 503 && text.includes("outbox migrate")
          ? (JSON.parse(text) as { problems: readonly string[] })
          : undefined;
      },
      { withinMs: 60_000, describe: "the relay says that the tables are missing" },
    );
    expect(problems).toHaveLength(1);
    await millraceHere(["outbox", "migrate", "--outbox-sqlite", path]);
    await eventually(async () => (await ask(`${healthUrl}/readyz`)).status === 200, {
      withinMs: 60_000,
      describe: "the relay is ready",
    });
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

  test("a node that relays tells of its outbox beside its own health", async () => {
    const running = await runNode({
      servers: server.url,
      namespace: server.namespace(),
      outboxSqlite: path,
      env: {},
      healthPort: 0,
      healthHost: "127.0.0.1",
      jobs: [defineJob({ name: "other", queue: "other" }).handler(() => {})],
    });
    cleanUpLater(() => running.stop());
    const told = await eventually(
      async () => {
        const { status, text } = await ask(`${running.healthUrl}/readyz`);
        return status === 200 && text.includes("outbox migrate") ? { text } : undefined;
      },
      { withinMs: 60_000, describe: "the node is ready, and its outbox is not" },
    );
    expect(JSON.parse(told.text)).toMatchObject({ ready: true, outbox: { ready: false } });
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
