import { createServer, connect as connectTo, type Socket } from "node:net";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { News } from "../../packages/millrace/src/search/index-calls.ts";
import { NOTHING_READ } from "../../packages/millrace/src/search/index-calls.ts";
import { inspect } from "node:util";
import { listCauses } from "../../packages/millrace/src/search/postgres/cause-counts.ts";
import { PostgresDatabase } from "../../packages/millrace/src/search/postgres/postgres-database.ts";
import { PostgresIndex } from "../../packages/millrace/src/search/postgres/postgres-index.ts";
import { schemaOf } from "../../packages/millrace/src/search/postgres/postgres-schema.ts";
import { IndexThread } from "../../packages/millrace/src/search/sqlite/index-thread.ts";
import { eventually, within } from "../harness/deadline.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../harness/postgres.ts";
import { inPostgres } from "./drop-indexes.ts";

const missing = postgresMissing();
const IDENTITY = JSON.stringify(["fleet", "x"]);
const SCHEMA = schemaOf(IDENTITY);
const LONG_MS = 90_000;
const MAX = Number.MAX_SAFE_INTEGER;

function arrival(n: number, more: { payload?: unknown; tags?: readonly string[] } = {}): News {
  const enqueue = { id: `j${n}`, queue: "a", createdAt: 1, life: 0 };
  return {
    ...{ kind: "arrival", position: n + 1, ...enqueue },
    job: { id: `j${n}`, queue: "a", name: "n", state: "queued", attempts: 0, at: n, ...more },
  };
}

function failed(n: number, fingerprint: string, more: object = {}): News {
  return {
    ...{ kind: "record", id: `j${n}`, queue: "a", createdAt: 1, life: 0, position: n + 1 },
    ended: "failed",
    cause: { fingerprint, type: "E", pattern: fingerprint },
    job: {
      ...{ id: `j${n}`, queue: "a", name: "n", state: "requeued", attempts: 1, at: n },
      ...{ error: { type: "E", message: "m" }, ...more },
    },
  };
}

describe.skipIf(missing !== undefined)(
  `an index of jobs in PostgreSQL by itself${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  () => {
    let postgres: TestPostgres;
    let made = 0;
    beforeAll(async () => {
      postgres = await startPostgres();
    });
    afterAll(() => postgres?.remove());

    async function database(more = ""): Promise<string> {
      made += 1;
      await inPostgres(postgres.url, `create database own_${made} ${more}`);
      return postgres.url.replace(/postgres$/, `own_${made}`);
    }

    async function started(url: string, maxBytes = MAX): Promise<PostgresIndex> {
      const index = await PostgresIndex.start(url);
      onTestFinished(() => index.end());
      await index.ask("open", { identity: IDENTITY, maxBytes });
      return index;
    }

    test("a schema that is dropped as the docs say, under its keeper, is made anew", async () => {
      const url = await database();
      const index = await started(url);
      await index.ask("write", { news: [arrival(1)], cursors: NOTHING_READ });
      await inPostgres(url, `drop schema ${SCHEMA} cascade`);
      // Each round of the follower begins with this: where it throws, no round comes to `open`.
      expect(await index.ask("isOpen", {})).toBe(false);
    });

    test.each(["millrace-ui", "Ui", "ui@example.iam"])(
      "B: a user whose name has to be quoted (%s) can prune",
      async (role) => {
        await inPostgres(postgres.url, `create role "${role}" login superuser`);
        const url = (await database()).replace("millrace@", `${encodeURIComponent(role)}@`);
        const index = await started(url);
        await index.ask("prune", { before: 0, heardBefore: 0 });
      },
    );

    test("causes are all of one moment, though others are counted between two pages", async () => {
      const url = await database();
      const index = await started(url);
      const print = (n: number): string => `f${String(n).padStart(11, "0")}`;
      await index.ask("write", {
        news: Array.from({ length: 300 }, (_, n) => failed(n, print(n))),
        cursors: NOTHING_READ,
      });
      const readers = await PostgresDatabase.at(url, 1, LONG_MS);
      onTestFinished(() => readers.end());
      let pages = 0;
      const causes = await readers.transaction((session) =>
        listCauses(
          {
            query: async (text, values) => {
              const rows = await session.query(text, values);
              // The keeper writes meanwhile: the last of all has become the first.
              if (text.includes(".cause where failures > 0") && (pages += 1) === 1)
                await index.ask("write", {
                  news: [failed(900, print(0)), failed(901, print(0))],
                  cursors: NOTHING_READ,
                });
              return rows;
            },
          },
          SCHEMA,
          { limit: 10_000, now: 1 },
        ),
      );
      expect(pages).toBeGreaterThan(1);
      expect(causes).toHaveLength(300);
      expect(new Set(causes.map(({ fingerprint }) => fingerprint)).size).toBe(300);
    });

    test("tags are completed as in SQLite, where each job has a list of its own", async () => {
      const news = Array.from({ length: 300 }, (_, n) =>
        arrival(n, {
          tags: Array.from({ length: 9 }, (_tag, bit) => ((n >> bit) & 1 ? `b${bit}` : `c${bit}`)),
        }),
      );
      news.push(arrival(5_000, { tags: ["vip", "zz"] }), arrival(5_001, { tags: ["d", "vip2"] }));
      const file = await IndexThread.start("");
      onTestFinished(() => file.end());
      await file.ask("open", { identity: IDENTITY, maxBytes: MAX });
      const index = await started(await database());
      for (const one of [file, index]) await one.ask("write", { news, cursors: NOTHING_READ });
      const [expected, known] = [await file.ask("known", {}), await index.ask("known", {})];
      expect(expected["tag"]).toContain("vip2");
      expect(known).toEqual(expected);
    });

    test("a database that is not of UTF8 is refused when it is opened", async () => {
      const url = await database(
        "encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'",
      );
      await expect(started(url)).rejects.toMatchObject({
        code: "index-failed",
        message: expect.stringContaining("UTF8") as string,
      });
    });

    test.each(["postgres://u:p#s3cr3t@h/d", "postgres://u:s3cr3t%@h/d", "no address s3cr3t"])(
      "an address that nobody can read is refused at once, and not shown: %s",
      async (url) => {
        const error: unknown = await PostgresIndex.start(url).catch((reason: unknown) => reason);
        expect(error).toMatchObject({ code: "invalid-option" });
        expect(inspect(error, { depth: 9 })).not.toContain("s3cr3t");
      },
    );

    /** Passes on what is said, until it is frozen: then neither side hears of the other. */
    async function proxied(
      url: string,
    ): Promise<{ url: string; freezeAfter: (bytes: number) => Promise<void> }> {
      const { port } = new URL(url);
      const sockets: Socket[] = [];
      let left = Number.POSITIVE_INFINITY;
      let frozen = Promise.withResolvers<void>();
      const server = createServer((inner) => {
        const outer = connectTo(Number(port), "127.0.0.1");
        sockets.push(inner, outer);
        inner.on("error", () => {});
        outer.on("error", () => {});
        inner.on("data", (data) => outer.write(data));
        outer.on("data", (data) => {
          left -= data.length;
          if (left <= 0) {
            inner.pause();
            outer.pause();
            frozen.resolve();
            return;
          }
          inner.write(data);
        });
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      onTestFinished(() => {
        for (const socket of sockets) socket.destroy();
        server.close();
      });
      const own = new URL(url);
      own.port = String((server.address() as { port: number }).port);
      return {
        url: own.href,
        freezeAfter: (bytes) => {
          left = bytes;
          frozen = Promise.withResolvers<void>();
          return frozen.promise;
        },
      };
    }

    test("a keeper that is frozen while it reads a large answer is replaced all the same", async () => {
      const url = await database();
      const proxy = await proxied(url);
      const keeper = await PostgresIndex.start(proxy.url);
      await keeper.ask("open", { identity: IDENTITY, maxBytes: MAX });
      // As large as payloads may be that are looked into: 16 KiB of characters.
      const text = (n: number): string =>
        Array.from({ length: 16_000 }, (_, at) =>
          String.fromCharCode(0x4e00 + ((n * 7_919 + at * 104_729) % 20_000)),
        ).join("");
      const news = Array.from({ length: 250 }, (_, n) =>
        arrival(n, { payload: { text: text(n) } }),
      );
      await keeper.ask("write", { news, cursors: NOTHING_READ });
      const frozen = proxy.freezeAfter(100_000);
      keeper
        .ask("write", {
          news: news.map((_, n) => failed(n, "abc")),
          cursors: NOTHING_READ,
        })
        .catch(() => {});
      await frozen;
      const other = await PostgresIndex.start(url);
      onTestFinished(() => other.end());
      await eventually(
        async () => (await other.ask("open", { identity: IDENTITY, maxBytes: MAX })).isKept,
        { withinMs: LONG_MS, describe: "another process keeps the index" },
      );
    });

    test("four searches that take long hold up neither the keeper nor another search for long", async () => {
      const url = await database();
      const index = await started(url);
      await index.ask("write", { news: [arrival(1)], cursors: NOTHING_READ });
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(`begin; lock table ${SCHEMA}.job in access exclusive mode`);
      const searches = Array.from({ length: 4 }, () =>
        index.ask("search", { limit: 5, now: 1 }).catch(() => {}),
      );
      // The follower asks this in each round: where it fails for 20 s, another keeps the index.
      const isOpen = await index.ask("isOpen", {}).catch((error: unknown) => String(error));
      await client.end();
      await Promise.all(searches);
      expect(isOpen).toBe(true);
    });

    test("no parameter is sent that PgBouncer refuses by default", async () => {
      const url = await database();
      const names: string[] = [];
      const server = createServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", (data) => {
          const texts = data.subarray(8).toString().split("\0");
          for (let at = 0; at + 1 < texts.length; at += 2)
            if (texts[at]) names.push(texts[at] ?? "");
          socket.destroy();
        });
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      onTestFinished(() => void server.close());
      const own = new URL(url);
      own.port = String((server.address() as { port: number }).port);
      await started(own.href).catch(() => {});
      // https://www.pgbouncer.org/config.html#ignore_startup_parameters
      const taken = ["user", "database", "client_encoding", "datestyle", "timezone"];
      taken.push("standard_conforming_strings", "application_name");
      expect(names).toContain("user");
      expect(names.filter((name) => !taken.includes(name.toLowerCase()))).toEqual([]);
    });

    test("what is committed, though nobody hears so, is counted once", async () => {
      const url = await database();
      const { port } = new URL(url);
      let cut = false;
      const server = createServer((inner) => {
        const outer = connectTo(Number(port), "127.0.0.1");
        let isCut = false;
        for (const one of [inner, outer]) one.on("error", () => {});
        inner.on("data", (data) => {
          if (cut && data.includes("commit")) isCut = true;
          outer.write(data);
        });
        outer.on("data", (data) => {
          if (isCut) inner.destroy();
          else inner.write(data);
        });
        inner.on("close", () => outer.end());
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      onTestFinished(() => void server.close());
      const own = new URL(url);
      own.port = String((server.address() as { port: number }).port);
      const index = await started(own.href);
      cut = true;
      const cursors = { ...NOTHING_READ, position: 7 };
      await expect(index.ask("write", { news: [failed(1, "abc")], cursors })).rejects.toMatchObject(
        {
          code: "index-failed",
        },
      );
      cut = false;
      expect(await index.ask("isOpen", {})).toBe(false);
      expect(await index.ask("open", { identity: IDENTITY, maxBytes: MAX })).toMatchObject({
        isKept: true,
        cursors: { position: 7 },
      });
      expect(await index.ask("failures", { limit: 5, now: 1 })).toMatchObject([
        { failures: 1, jobs: 1 },
      ]);
    });

    test("it is closed within seconds while its database answers nothing to anybody", async () => {
      const index = await started(await database());
      await index.ask("size", {});
      postgres.freeze();
      try {
        const asked = [
          index.ask("search", { limit: 5, now: 1 }),
          index.ask("write", { news: [arrival(1)], cursors: NOTHING_READ }),
        ].map((one) => one.catch(() => "failed"));
        // A statement may take 30 s.
        await within(index.end(), 15_000, "it is closed");
        expect(await Promise.all(asked)).toEqual(["failed", "failed"]);
      } finally {
        postgres.thaw();
      }
    });

    test("a database that comes back as it was a moment before is read from where it is then", async () => {
      const url = await database();
      const name = new URL(url).pathname.slice(1);
      const keeper = await started(url);
      const cut = `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`;
      await keeper.ask("write", {
        news: [failed(1, "abc")],
        cursors: { ...NOTHING_READ, position: 5 },
      });
      // A standby that has this much, as one that follows asynchronously may.
      await inPostgres(postgres.url, cut);
      await inPostgres(postgres.url, `create database ${name}_standby template ${name}`);
      await keeper.ask("write", {
        news: [failed(2, "abc")],
        cursors: { ...NOTHING_READ, position: 6 },
      });
      await inPostgres(postgres.url, cut);
      await inPostgres(postgres.url, `alter database ${name} rename to ${name}_lost`);
      await inPostgres(postgres.url, `alter database ${name}_standby rename to ${name}`);
      // The follower goes on from its own cursors (6) where the index is open still.
      const isOpen = await keeper.ask("isOpen", {}).catch(() => false);
      const written = isOpen
        ? await keeper
            .ask("write", { news: [failed(3, "abc")], cursors: { ...NOTHING_READ, position: 7 } })
            .then(
              () => true,
              () => false,
            )
        : false;
      const [cause] = await keeper.ask("failures", { limit: 5, now: 1 });
      expect({ written, failures: cause?.failures }).toEqual({ written: false, failures: 1 });
    });
  },
);
