export type { Propagation, TelemetryOptions } from "./options.ts";
export { telemetry } from "./telemetry.ts";
