type Env = Readonly<Record<string, string | undefined>>;

/** Any of these says where telemetry goes, or by what. */
const DESTINATIONS = [
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
  "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
  "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
] as const;
const EXPORTERS = ["OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"] as const;

/**
 * Whether the environment asks for telemetry. An SDK exports to localhost unless it is told
 * otherwise, and nobody who said nothing wants that. Pure.
 */
export function wantsSdk(env: Env): boolean {
  if (env["OTEL_SDK_DISABLED"]?.trim().toLowerCase() === "true") return false;
  const exporters = EXPORTERS.map((name) => env[name]?.trim() ?? "");
  if (exporters.every((exporter) => exporter === "none")) return false;
  return (
    exporters.some((exporter) => exporter !== "" && exporter !== "none") ||
    DESTINATIONS.some((name) => (env[name]?.trim() ?? "") !== "")
  );
}
