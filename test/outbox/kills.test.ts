// Relays, a node, the database and the server are killed at every point of the way of a job, and at
// any moment, while transactions are written. `pnpm outbox:kills --kills 200` does it for long; a
// seed chooses the same order again.
import { afterAll, beforeAll, expect, test } from "vitest";
import { postgresMissing } from "../harness/postgres.ts";
import { describeEachServer, describeEachServerWith211 } from "../harness/servers.ts";
import { newSeed } from "../reliability/oracle/seeded-random.ts";
import { describeVerdict } from "./kills/oracle.ts";
import { ORDER_TABLES, OutboxUnderFire } from "./kills/outbox-under-fire.ts";
import { everyStrike, nameOf, planStrikes } from "./kills/strikes.ts";
import { type OutboxDatabase, outboxDatabase } from "./outbox-database.ts";

const ONLY = process.env["MILLRACE_OUTBOX_KILLS_SERVER"];
/** `pnpm outbox:kills` sets them; every other test run has so few, others each time. */
const KILLS = Number(process.env["MILLRACE_OUTBOX_KILLS"] ?? 24);
const SEED = Number(process.env["MILLRACE_OUTBOX_KILLS_SEED"] ?? newSeed());
/** The shortest that servers take. */
const WINDOW_MS = 100;
/** A kill, its restart and what is made up for, on a busy machine. */
const EACH_MS = 30_000;
const END_MS = 600_000;

const missing = postgresMissing();

/** It is long: on 2.11 only where that is asked for. */
const describeServers: typeof describeEachServerWith211 =
  ONLY === "2.11" ? describeEachServerWith211 : async (...all) => describeEachServer(...all);

await describeServers(
  `an outbox whose parts are killed${missing === undefined ? "" : `, skipped: ${missing}`}`,
  (server) => {
    const hasMarks = server.generation === "newest";
    const all = everyStrike(hasMarks);
    const skipped = missing !== undefined || (ONLY !== undefined && ONLY !== server.generation);
    let database: OutboxDatabase;
    beforeAll(async () => {
      if (skipped) return;
      database = await outboxDatabase(ORDER_TABLES);
      database.pool.on("error", () => {});
    });
    afterAll(() => database?.close());

    test.skipIf(skipped)(
      `at every point: what is committed has its effect once, and what is rolled back none (seed ${SEED}, ${KILLS} kills)`,
      { timeout: END_MS + KILLS * EACH_MS },
      async () => {
        const fire = await OutboxUnderFire.start({ server, database, windowMs: WINDOW_MS });
        for (const [place, strike] of planStrikes(all, KILLS, SEED).entries()) {
          await fire.strike(strike).catch((error: unknown) => {
            throw new Error(`kill ${place + 1} of ${KILLS}, ${nameOf(strike)}`, { cause: error });
          });
        }
        const verdict = await fire.verdict();
        console.log(
          `outbox kills: ${server.version}, seed ${SEED}, ${KILLS} kills of ${all.length} kinds, ` +
            `${fire.writer.ended} transactions: ${describeVerdict(verdict)}, ${verdict.ghosts} acked ones kept by a killed server`,
        );
        const { committed, charged, receipts, publishedTwice } = verdict;
        expect(committed.length).toBeGreaterThan(0);
        expect(charged).toEqual(committed);
        expect(receipts).toBe(committed.length);
        // Older servers promise it within the window alone, and this one is over at once.
        if (hasMarks) expect(publishedTwice).toEqual([]);
      },
    );

    // Three crashes in a row would bury a job of a node that is not told otherwise.
    test.skipIf(skipped)(
      "a job whose holder is killed four times in its transaction has its effect once",
      { timeout: END_MS },
      async () => {
        const fire = await OutboxUnderFire.start({ server, database, windowMs: WINDOW_MS });
        await fire.killHolders(4);
        const { committed, charged } = await fire.verdict();
        expect(committed.length).toBeGreaterThan(0);
        expect(charged).toEqual(committed);
      },
    );

    test.skipIf(skipped || !hasMarks)(
      "a relay that stores no marks and looks for nothing is found by one kill at the right point",
      { timeout: END_MS },
      async () => {
        const options = { server, database, windowMs: WINDOW_MS, fault: "no-mark" };
        const fire = await OutboxUnderFire.start(options);
        await fire.killLastRelayAt("after the publish");
        const { committed, charged, publishedTwice } = await fire.verdict();
        expect(publishedTwice.length).toBeGreaterThan(0);
        // The second run finds the record of the first.
        expect(charged).toEqual(committed);
      },
    );
  },
  { singleServer: "its processes are killed one by one" },
);
