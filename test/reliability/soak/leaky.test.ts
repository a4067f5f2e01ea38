import { expect, it } from "vitest";
import { MONITOR_CONFIG } from "../../harness/cluster/members.ts";
import { describeServer } from "../../harness/servers.ts";
import { soak } from "./soak.ts";

describeServer(
  "the soak's judgement",
  "newest",
  (server) => {
    it(
      "finds everything that a leaky node leaves behind, and nothing else",
      { timeout: 240_000 },
      async () => {
        const report = await soak(server, {
          seed: 1,
          forMs: 4_000,
          perSecond: 40,
          leaseMs: 20_000,
          phaseMs: [300, 600],
          nodes: 1,
          faults: false,
          leaks: true,
          onProgress: () => {},
        });
        expect(report.violations).toEqual([]);
        expect(report.clean).toBe(false);
        const grown = report.signs.filter(({ flat }) => !flat).map(({ name }) => name);
        expect(grown).toEqual(
          expect.arrayContaining([
            "node heap",
            "node timers",
            "orphaned consumers",
            "subscriptions",
          ]),
        );
        expect(grown).not.toContain("connections");
        expect(grown).not.toContain("streams");
      },
    );
  },
  {
    config: MONITOR_CONFIG,
    singleServer:
      "it judges the judge, by what leaks in seconds; recoveries of a cluster take minutes",
  },
);
