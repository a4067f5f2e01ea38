import { onTestFinished, vi } from "vitest";
import { VARIABLE } from "./mode.ts";

/**
 * To the end of the test that calls this, cluster mode is off, in the programs it starts as well:
 * for those that start servers of their own, and for tests of the harness itself, whose deadlines
 * are short on purpose.
 */
export function outOfCluster(): void {
  vi.stubEnv(VARIABLE, "");
  onTestFinished(() => void vi.unstubAllEnvs());
}
