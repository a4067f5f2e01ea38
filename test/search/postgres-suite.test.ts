import { afterAll, beforeAll, describe } from "vitest";
import type { AskedIndex } from "../../packages/millrace/src/search/index-calls.ts";
import { PostgresIndex } from "../../packages/millrace/src/search/postgres/postgres-index.ts";
import { causesSuite } from "../../packages/millrace/src/search/suite/causes-suite.fixture.ts";
import { heardSuite } from "../../packages/millrace/src/search/suite/heard-suite.fixture.ts";
import { indexSuite } from "../../packages/millrace/src/search/suite/index-suite.fixture.ts";
import pg from "pg";
import { postgresMissing, startPostgres, type TestPostgres } from "../harness/postgres.ts";

const missing = postgresMissing();

describe.skipIf(missing !== undefined)(
  `an index of jobs in PostgreSQL${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  () => {
    let postgres: TestPostgres;
    let made = 0;
    beforeAll(async () => {
      postgres = await startPostgres();
    });
    afterAll(() => postgres?.remove());

    /** In a database of its own. */
    async function inDatabase(): Promise<AskedIndex> {
      made += 1;
      const client = new pg.Client({ connectionString: postgres.url });
      await client.connect();
      await client.query(`create database index_${made}`);
      await client.end();
      return PostgresIndex.start(postgres.url.replace(/postgres$/, `index_${made}`));
    }

    indexSuite(inDatabase);
    causesSuite(inDatabase);
    heardSuite(inDatabase);
  },
);
