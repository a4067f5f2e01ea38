import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type * as Whole from "millrace";
import type * as Testing from "millrace/testing";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { outline } from "../harness/recorded-span.ts";
import { recordSpansInMemory } from "../harness/sdk-spans.ts";
import { checkTraces } from "../harness/trace-shape.ts";

/**
 * The tests of the examples once more, with telemetry: whatever they do, their traces are sound.
 */
vi.mock("millrace/testing", async (original) => {
  const real = await original<typeof Testing>();
  const { telemetry } = await import("millrace/telemetry");
  const createTestRuntime: typeof real.createTestRuntime = (options) =>
    real.createTestRuntime({ instrumentation: telemetry(), ...options });
  return { ...real, createTestRuntime };
});
vi.mock("millrace", async (original) => {
  const real = await original<typeof Whole>();
  const { telemetry } = await import("millrace/telemetry");
  const connect = (options?: Whole.ConnectOptions) =>
    real.connect({ instrumentation: telemetry(), ...options });
  const runNode: typeof real.runNode = (options) =>
    real.runNode({ instrumentation: telemetry(), ...options });
  return { ...real, connect, runNode };
});

const EXAMPLES = resolve(import.meta.dirname, "../../examples");
/**
 * Programs of their own, which no mock reaches: they are traced as their users would, by `OTEL_…`
 * variables, elsewhere.
 */
const PROGRAMS = ["digest", "hello", "locks", "order-pipeline"];
const inProcess = globSync("*/*.test.ts", { cwd: EXAMPLES })
  .filter((file) => !PROGRAMS.some((name) => file.startsWith(`${name}/`)))
  .sort();

const recording = recordSpansInMemory();
afterAll(() => recording.stop());
let seen = 0;
let examples = 0;

for (const file of inProcess) {
  describe(file, async () => {
    afterEach(() => {
      const spans = recording.spans();
      recording.reset();
      seen += spans.length;
      // Some test of an example only looks at a plan or at a clock.
      if (spans.length > 0)
        expect(checkTraces(spans, { simulatedWaits: true }), outline(spans)).toEqual([]);
    });
    await import(resolve(EXAMPLES, file));
    examples += 1;
  });
}

test("they were traced", () => {
  expect(examples).toBeGreaterThanOrEqual(7);
  expect(seen).toBeGreaterThan(100);
  for (const file of inProcess)
    expect(readFileSync(resolve(EXAMPLES, file), "utf8"), file).toMatch(/millrace/);
});
