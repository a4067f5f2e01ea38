export { brokerConformance } from "./conformance/broker-conformance.ts";
export {
  type BrokerCapabilities,
  type ConformanceHarness,
  type DeafConnection,
  type Eventually,
  eventuallyInRealTime,
  eventuallyOn,
} from "./conformance/harness.ts";
export type { ConformanceCase } from "./conformance/scene.ts";
export { MemoryBroker } from "./memory-broker.ts";
export type { MemoryBrokerOptions } from "./memory-broker-options.ts";
export { MemoryServer } from "./memory/memory-server.ts";
export { SimulatedClock } from "./simulated-clock.ts";
