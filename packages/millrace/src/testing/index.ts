export { createTestRuntime, type TestRuntime, type TestRuntimeOptions } from "./test-runtime.ts";
export { MemoryBroker, type MemoryBrokerOptions, SimulatedClock } from "@millrace/testkit";
export { replayRuns, type ReplayRunsOptions } from "./replay-runs.ts";
export type { RecordedRun } from "@millrace/core";
export type { ReplayedRun, ReplayedStep, ReplayOutcome } from "@millrace/runtime";
export type { DrainTimeOptions } from "./drain.ts";
