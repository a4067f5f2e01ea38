export { wantsSdk } from "../sdk/wants-sdk.ts";
export type { Propagation, TelemetryOptions } from "./options.ts";
export { telemetry } from "./telemetry.ts";
export { hasSdk } from "./tracer.ts";
