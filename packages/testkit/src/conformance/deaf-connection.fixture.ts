import type { MemoryBroker } from "../memory-broker.ts";
import type { DeafConnection } from "./harness.ts";

export function deafConnection(broker: MemoryBroker): DeafConnection {
  return {
    broker,
    deafen: () => broker.loseLockAnswers(true),
    hear: () => broker.loseLockAnswers(false),
  };
}
