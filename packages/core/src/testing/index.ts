export { MemoryBroker, type MemoryBrokerOptions } from "./memory-broker.ts";
export { MemoryServer } from "./memory/memory-server.ts";
export { SimulatedClock } from "./simulated-clock.ts";
