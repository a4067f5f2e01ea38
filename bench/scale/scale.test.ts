import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { serversUnderTest } from "../../test/harness/servers.ts";
import { atLeast, atMost, holds } from "./claims.ts";
import { usageMissing } from "./process-usage.ts";
import type { Scaling } from "./render.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const newest = serversUnderTest().find(({ generation }) => generation === "newest");
const missing = newest?.state === "present" ? usageMissing() : "nats-server is missing";

test.skipIf(missing !== undefined)(
  `every dimension runs its smallest and its largest level with few jobs${missing === undefined ? "" : ` (${missing})`}`,
  { timeout: 240_000 },
  async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, "--smoke", "--json"]);
    const { scalings } = JSON.parse(stdout) as { scalings: Scaling[] };
    expect(scalings.map(({ name }) => name)).toEqual([
      "nodes",
      "queues",
      "backlog",
      "payload",
      "delayed",
    ]);
    for (const { measured, claims } of scalings) {
      expect(claims.length).toBeGreaterThan(0);
      expect(measured).toHaveLength(2);
      for (const { rounds } of measured) {
        expect(rounds).toHaveLength(1);
        expect(rounds[0]?.perSecond).toBeGreaterThan(0);
        expect(rounds[0]?.serverRssMb).toBeGreaterThan(1);
      }
    }
    const late = scalings.at(-1)?.measured.at(-1)?.rounds[0]?.latenessMs;
    expect(late?.p50).toBeGreaterThanOrEqual(0);
  },
);

test("a claim holds up to its bound, and never where nothing was measured", () => {
  expect(holds(atLeast("", 0.9, 0.9, "ratio"))).toBe(true);
  expect(holds(atLeast("", 0.89, 0.9, "ratio"))).toBe(false);
  expect(holds(atMost("", 30, 30, "MB"))).toBe(true);
  expect(holds(atMost("", 31, 30, "MB"))).toBe(false);
  expect(holds(atMost("", Number.NaN, 30, "MB"))).toBe(false);
});
