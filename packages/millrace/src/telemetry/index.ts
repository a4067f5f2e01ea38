export { type Propagation, telemetry, type TelemetryOptions } from "@millrace/telemetry/tracing";
