import { defined, type Instrumentation, MillraceError } from "@millrace/core";
import { hasSdk, telemetry, wantsSdk } from "@millrace/telemetry/tracing";
import type { Config } from "../../config/fields.ts";
import type { CliIo } from "../io.ts";
import { serviceVersion } from "./service-version.ts";

export interface CliTelemetry {
  readonly instrumentation: Instrumentation;
  /** Exports what is left. After the node has stopped. */
  shutdown(): Promise<void>;
}

/**
 * Telemetry as the environment asks for it: our own SDK where an `OTEL_…` variable says where to
 * export, the one that a `--import` has registered already, or none. The SDK is only loaded where
 * it is used.
 */
export async function cliTelemetry(
  { nodeName }: Config,
  { env, cwd }: Pick<CliIo, "env" | "cwd">,
): Promise<CliTelemetry | undefined> {
  if (hasSdk()) return { instrumentation: telemetry(), shutdown: () => Promise.resolve() };
  if (!wantsSdk(env)) return undefined;
  const { startTelemetrySdk } = await import("@millrace/telemetry/sdk").catch(sdkMissing);
  const version = await serviceVersion(cwd);
  const sdk = startTelemetrySdk({
    serviceName: "millrace",
    ...defined({ serviceVersion: version, nodeId: nodeName }),
  });
  return { instrumentation: telemetry(), shutdown: () => sdk.shutdown() };
}

/**
 * It is not among our dependencies: it brings gRPC and an install script, for the few that export
 * from here.
 */
function sdkMissing(cause: unknown): never {
  throw new MillraceError(
    "invalid-option",
    "An OTEL_… variable asks for an export, and the package @opentelemetry/sdk-node is not installed. Run `npm install @opentelemetry/sdk-node`, or unset the variable.",
    { cause },
  );
}
