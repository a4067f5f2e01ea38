import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { postgresRecords, type RecordHandler } from "millrace/telemetry";
import { record } from "../../packages/telemetry/src/records/record.fixture.ts";
import { storeSuite } from "../../packages/telemetry/src/records/store-suite.fixture.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../harness/postgres.ts";

const missing = postgresMissing();

describe.skipIf(missing !== undefined)(
  `records in PostgreSQL${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  () => {
    let postgres: TestPostgres;
    let table: string;
    let tables = 0;
    beforeAll(async () => {
      postgres = await startPostgres();
    });
    afterAll(() => postgres?.remove());
    beforeEach(() => {
      tables += 1;
      table = `executions_${tables}`;
    });
    const open = (keepMs?: number): RecordHandler =>
      postgresRecords({ url: postgres.url, table, ...(keepMs === undefined ? {} : { keepMs }) });

    storeSuite(() => ({ open, prunesByRecord: true }));

    test("nodes that start together make the table once", async () => {
      const stores = Array.from({ length: 8 }, () => open());
      await Promise.all(stores.map((store, i) => store.write([record({ id: `n${i}` })])));
      expect(await stores[0]?.query?.({ limit: 100 })).toHaveLength(8);
      await Promise.all(stores.map((store) => store.close()));
    });

    test("a record that the table's own rules refuse is refused, not tried for ever", async () => {
      const store = open();
      await expect(store.write([record({ recordId: "no uuid" })])).rejects.toMatchObject({
        code: "record-refused",
      });
      await store.write([record({ id: "fine" })]);
      expect(await store.query?.({ limit: 5 })).toMatchObject([{ id: "fine" }]);
      await store.close();
    });

    test("a server that is killed and comes back is used again; while it is away, writes say so", async () => {
      const store = open();
      await store.write([record({ id: "before" })]);
      await postgres.kill();
      await expect(store.write([record({ id: "lost" })])).rejects.toMatchObject({
        code: "record-store-failed",
      });
      await postgres.start();
      await store.write([record({ id: "after" })]);
      expect((await store.query?.({ limit: 5 }))?.map(({ id }) => id).toSorted()).toEqual([
        "after",
        "before",
      ]);
      await store.close();
    });

    test("a table's name that is more than a name is refused", () => {
      expect(() => postgresRecords({ url: postgres.url, table: "x; drop table y" })).toThrow(
        expect.objectContaining({ code: "invalid-option" }) as Error,
      );
    });
  },
);
