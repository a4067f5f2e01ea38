export { startTelemetrySdk, type TelemetrySdk, type TelemetrySdkOptions } from "./start-sdk.ts";
