// Databases that take connections and answer nothing: frozen, or behind a line that is cut off.
import { silentLogger, systemClock } from "@millrace/core";
import { MemoryBroker, MemoryServer } from "@millrace/testkit";
import { mysqlOutbox, type OutboxStore, postgresOutbox, startRelay } from "millrace/outbox";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { eventually, within } from "../harness/deadline.ts";
import { mysqlMissing, startMysql } from "../harness/mysql.ts";
import { postgresMissing, startPostgres } from "../harness/postgres.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

interface Frozen {
  readonly url: string;
  freeze(): void;
  thaw(): void;
  remove(): Promise<void>;
}

const databases = [
  {
    kind: "PostgreSQL",
    missing: postgresMissing(),
    start: (): Promise<Frozen> => startPostgres(),
    outbox: (url: string): OutboxStore => postgresOutbox({ url }),
  },
  ...(["MariaDB", "MySQL"] as const).map((kind) => ({
    kind,
    missing: mysqlMissing(kind),
    start: (): Promise<Frozen> => startMysql(kind),
    outbox: (url: string): OutboxStore => mysqlOutbox({ url }),
  })),
];

describe.each(databases)("$kind", ({ missing, start, outbox }) => {
  const why = missing === undefined ? "" : `, skipped: ${missing}`;
  let server: Frozen | undefined;
  beforeAll(async () => {
    if (missing === undefined) server = await start();
  });
  afterAll(() => server?.remove());

  async function migrated(): Promise<{ readonly server: Frozen; readonly store: OutboxStore }> {
    if (server === undefined) throw new Error("there is none");
    const store = outbox(server.url);
    await store.migrate();
    return { server, store };
  }

  test.skipIf(missing !== undefined)(
    `each call to a frozen database ends, and the first after it answers${why}`,
    async () => {
      const { server: frozen, store } = await migrated();
      // More than there are connections, all of which are made by then.
      const ask = () => Array.from({ length: 6 }, () => store.mark("mail"));
      await Promise.all(ask());
      frozen.freeze();
      const calls = ask();
      const ended = await within(Promise.allSettled(calls), 90_000, "all calls have ended");
      expect(ended.map(({ status }) => status)).toEqual(calls.map(() => "rejected"));
      frozen.thaw();
      await eventually(() => store.mark("mail"), { withinMs: 60_000, describe: "it answers" });
      await store.close();
    },
  );

  test.skipIf(missing !== undefined)(
    `a relay of a database that is frozen stops${why}`,
    async () => {
      const { server: frozen, store } = await migrated();
      const broker = new MemoryBroker({ server: new MemoryServer(systemClock) });
      const relay = await startRelay({ broker, store, logger: silentLogger, pollMs: 100 });
      await eventually(() => relay.health().ready, { withinMs: 60_000, describe: "it is ready" });
      frozen.freeze();
      await eventually(() => !relay.health().ready, {
        ...{ withinMs: 90_000, describe: "it is not ready" },
      });
      try {
        await within(relay.stop(), 60_000, "the relay has stopped");
      } finally {
        frozen.thaw();
      }
      await broker.close();
    },
  );
});
