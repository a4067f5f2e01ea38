export { createTestRuntime, type TestRuntime, type TestRuntimeOptions } from "./test-runtime.ts";
export { MemoryBroker, type MemoryBrokerOptions, SimulatedClock } from "@millrace/testkit";
export type { DrainTimeOptions } from "./drain.ts";
