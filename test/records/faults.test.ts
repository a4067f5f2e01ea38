import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connect, defineJob } from "millrace";
import {
  executionRecords,
  type ExecutionRecords,
  type ExecutionRecordsOptions,
  ndjsonRecords,
  postgresRecords,
  type RecordHandler,
  sqliteRecords,
} from "millrace/telemetry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually, within } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../harness/postgres.ts";
import { describeEachServer } from "../harness/servers.ts";
import { mountTinyDisk, type TinyDisk, tinyDiskMissing } from "../harness/tiny-disk.ts";
import { patient } from "../harness/cluster/mode.ts";

const JOBS = 200;
const double = defineJob<{ n: number; letter: string }>({
  name: "records.double",
  queue: "records",
});
const handler = double.handler(({ input }) => ({ doubled: input.n * 2 }));

const noDisk = tinyDiskMissing();
const noPostgres = postgresMissing();
const titled = (title: string, reason: string | undefined): string =>
  reason === undefined ? title : `${title} (skipped: ${reason})`;

describeEachServer("job results are untouched by", (server) => {
  interface Run {
    readonly log: ExecutionRecords;
    readonly lines: readonly string[];
    /** Enqueues jobs, and checks each one's result and its only attempt. */
    work(first: number): Promise<void>;
    stop(): Promise<void>;
  }

  async function runWith(
    store: RecordHandler,
    options: Partial<ExecutionRecordsOptions> = {},
  ): Promise<Run> {
    const lines: string[] = [];
    const say = (_fields: object, message: string): void => void lines.push(message);
    const logger = { debug: say, info: say, warn: say, error: say, child: () => logger };
    const log = executionRecords({
      handlers: [store],
      log: logger,
      ...options,
    });
    const { node, namespace } = await startNodeOnServer(server, {
      jobs: [handler],
      executionLog: log,
      grace: "20s",
    });
    const client = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());
    return {
      log,
      lines,
      async work(first) {
        const jobs = Array.from({ length: JOBS }, (_, i) => first + i);
        const handles = await Promise.all(
          jobs.map((n) => client.enqueue(double, { n, letter: "x".repeat(500) }, { id: `j${n}` })),
        );
        const results = await Promise.all(
          handles.map((handle) => handle.result({ timeout: patient(30_000) })),
        );
        expect(results).toEqual(jobs.map((n) => ({ doubled: n * 2 })));
        const last = await client.job(`j${first + JOBS - 1}`);
        expect(last).toMatchObject({ state: "succeeded", attempts: 1 });
      },
      stop: () => within(node.stop(), 20_000, "the node stops"),
    };
  }

  test("a handler that takes a second for each call, and one that never answers", async () => {
    const slow: RecordHandler = {
      name: "slow",
      write: () => new Promise((resolve) => setTimeout(resolve, 1_000)),
      close: async () => {},
    };
    const stuck: RecordHandler = { ...slow, name: "stuck", write: () => new Promise(() => {}) };
    const { log, work, stop, lines } = await runWith(slow, {
      handlers: [slow, stuck],
      maxRecords: 50,
    });
    await work(0);
    expect(log.dropped["slow"]).toBeGreaterThan(0);
    expect(log.dropped["stuck"]).toBeGreaterThan(0);
    await stop();
    expect(log.dropped["stuck"]).toBe(JOBS);
    expect(lines).toContainEqual(expect.stringContaining("execution records were dropped"));
  });

  test("a handler that throws whatever it is asked", async () => {
    const fail = (): never => {
      throw new TypeError("broken");
    };
    const { work, stop, log } = await runWith({
      name: "broken",
      write: fail,
      prune: fail,
      close: fail,
    });
    await work(0);
    await stop();
    expect(log.dropped).toEqual({ broken: JOBS });
  });

  describe.skipIf(noDisk !== undefined)(titled("a full disk", noDisk), () => {
    let disk: TinyDisk;
    const onTinyDisk = (bytes: number): string => {
      disk = mountTinyDisk(bytes);
      cleanUpLater(() => disk.remove());
      return disk.dir;
    };

    test("under the record files; what is held is written when there is room, and no line is broken", async () => {
      const dir = onTinyDisk(32_768);
      const { work, stop, log, lines } = await runWith(ndjsonRecords({ dir }));
      await work(0);
      await eventually(() => lines.some((line) => line.includes("could not be written")), {
        withinMs: 20_000,
        describe: "the full disk is complained of",
      });
      disk.grow(8_000_000);
      await work(JOBS);
      const kept = (): string[] =>
        globSync(join(dir, "*.ndjson")).flatMap((file) =>
          readFileSync(file, "utf8").split("\n").slice(0, -1),
        );
      await eventually(() => kept().length >= 2 * JOBS, {
        withinMs: 20_000,
        describe: () => `${2 * JOBS} lines are in the files; there are ${kept().length}`,
      });
      await stop();
      expect(log.dropped).toEqual({ file: 0 });
      const ids = kept().map((line) => (JSON.parse(line) as { id: string }).id);
      expect(new Set(ids).size).toBe(2 * JOBS);
    });

    test("under a SQLite file", async () => {
      const path = join(onTinyDisk(131_072), "records.db");
      const store = sqliteRecords({ path });
      const { work, stop, log, lines } = await runWith(store);
      await work(0);
      await eventually(() => lines.some((line) => line.includes("could not be written")), {
        withinMs: 20_000,
        describe: "the full disk is complained of",
      });
      disk.grow(32_000_000);
      await work(JOBS);
      await eventually(async () => (await store.query?.({ limit: 1_000 }))?.length === 2 * JOBS, {
        withinMs: 20_000,
        describe: "all records are in the database",
      });
      await stop();
      expect(log.dropped).toEqual({ sqlite: 0 });
    });
  });

  describe.skipIf(noPostgres !== undefined)(titled("a PostgreSQL server", noPostgres), () => {
    let postgres: TestPostgres;
    beforeAll(async () => {
      postgres = await startPostgres();
    });
    afterAll(() => postgres?.remove());

    test("that is stopped; the records come when it is back", async () => {
      const store = postgresRecords({ url: postgres.url, table: "stopped" });
      const { work, stop, log } = await runWith(store);
      await work(0);
      await postgres.kill();
      await work(JOBS);
      await postgres.start();
      await eventually(async () => (await store.query?.({ limit: 1_000 }))?.length === 2 * JOBS, {
        withinMs: 30_000,
        describe: "all records are in the table",
      });
      await stop();
      expect(log.dropped).toEqual({ postgres: 0 });
    });

    test("that hangs; a stop doesn't wait for it longer than it may", async () => {
      const { work, stop, log, lines } = await runWith(
        postgresRecords({ url: postgres.url, table: "hanging", timeoutMs: 1_000 }),
      );
      await work(0);
      postgres.freeze();
      cleanUpLater(() => postgres.thaw());
      await work(JOBS);
      await stop();
      expect(log.dropped["postgres"]).toBeGreaterThan(0);
      expect(lines).toContainEqual(expect.stringContaining("the node stopped before"));
    });
  });
});
