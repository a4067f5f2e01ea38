import { writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { MONITOR_CONFIG } from "../../harness/cluster/members.ts";
import { describeServer } from "../../harness/servers.ts";
import { newSeed } from "../oracle/seeded-random.ts";
import { renderReport } from "./report.ts";
import { soak } from "./soak.ts";

/** `pnpm soak` sets them; every other test run has this long and a seed of its own. */
const { MILLRACE_SOAK_MINUTES, MILLRACE_SOAK_OUT } = process.env;
const FOR_MS = Number(MILLRACE_SOAK_MINUTES ?? 0.25) * 60_000;
const PER_SECOND = Number(process.env["MILLRACE_SOAK_RATE"] ?? 100);
const SEED = Number(process.env["MILLRACE_SOAK_SEED"] ?? newSeed());
const isShort = MILLRACE_SOAK_MINUTES === undefined;
const PHASE_MS: [number, number] = isShort ? [1_500, 3_000] : [8_000, 16_000];
const LEASE_MS = isShort ? 1_500 : 3_000;
/** A phase that has begun is finished, and reading the ledger of an hour takes a while. */
const OVERTIME_MS = 300_000;

describeServer(
  "a steady load under faults",
  process.env["MILLRACE_SOAK_SERVER"] === "2.10" ? "2.10" : "newest",
  (server) => {
    it(
      `loses nothing and leaves nothing behind (seed ${SEED})`,
      { timeout: FOR_MS + OVERTIME_MS },
      async () => {
        const report = await soak(server, {
          seed: SEED,
          forMs: FOR_MS,
          fromPhase: Number(process.env["MILLRACE_SOAK_FROM"] ?? 0),
          perSecond: PER_SECOND,
          leaseMs: LEASE_MS,
          phaseMs: PHASE_MS,
          nodes: 3,
          faults: true,
          onProgress: (line) => console.log(line),
        });
        console.log(renderReport(report));
        if (MILLRACE_SOAK_OUT !== undefined)
          writeFileSync(MILLRACE_SOAK_OUT, JSON.stringify(report));
        expect(report.violations, `seed ${SEED}`).toEqual([]);
        expect(report.stalls, `seed ${SEED}`).toEqual([]);
        expect(report.counts.confirmed).toBe(report.counts.attempted);
        expect(report.signs.filter(({ flat }) => !flat)).toEqual([]);
      },
    );
  },
  { config: MONITOR_CONFIG },
);
