import { diag } from "@opentelemetry/api";
import { optionNames, recordError, refuseUnknown, requireText } from "@millrace/core";
import {
  defaultResource,
  envDetector,
  hostDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from "@opentelemetry/resources";
import { NodeSDK } from "@opentelemetry/sdk-node";

export interface TelemetrySdkOptions {
  /**
   * What `service.name` is where neither `OTEL_SERVICE_NAME` nor `OTEL_RESOURCE_ATTRIBUTES` says.
   */
  readonly serviceName: string;
  /**
   * What `service.instance.id` is where `OTEL_RESOURCE_ATTRIBUTES` does not say. Default: a random
   * one.
   */
  readonly nodeId?: string;
  /** What `service.version` is where `OTEL_RESOURCE_ATTRIBUTES` does not say. */
  readonly serviceVersion?: string;
}

export interface TelemetrySdk {
  /**
   * Exports what is left, then ends. Takes no longer than `LAST_EXPORT_MS`, whatever the collector
   * does. Idempotent.
   */
  shutdown(): Promise<void>;
}

const NAMES = optionNames<TelemetrySdkOptions>({
  ...{ serviceName: true, nodeId: true, serviceVersion: true },
});

/** A collector that is gone must not keep a container from ending. */
const LAST_EXPORT_MS = 3_000;

/**
 * Starts OpenTelemetry's own SDK, set up by the standard `OTEL_…` variables, and registers it for
 * the whole process. For processes that are ours (`millrace run`); an application starts its own.
 *
 * @throws MillraceError `invalid-option`
 */
export function startTelemetrySdk(options: TelemetrySdkOptions): TelemetrySdk {
  refuseUnknown(options, NAMES, "startTelemetrySdk()");
  const { serviceVersion, nodeId } = options;
  const serviceName = requireText(options.serviceName, "serviceName");
  const service = {
    "service.name": serviceName,
    ...(serviceVersion === undefined ? {} : { "service.version": serviceVersion }),
  };
  const sdk = new NodeSDK({
    // What a detector finds goes before this, and what the environment says before all.
    resource: defaultResource().merge(resourceFromAttributes(service)),
    // No process detector: the command line that it reports may hold a password. `host.name` keeps
    // Jaeger from suspecting clock skew.
    ...(process.env["OTEL_NODE_RESOURCE_DETECTORS"] === undefined
      ? {
          resourceDetectors: [
            nodeId === undefined
              ? serviceInstanceIdDetector
              : { detect: () => ({ attributes: { "service.instance.id": nodeId } }) },
            hostDetector,
            envDetector,
          ],
        }
      : {}),
  });
  sdk.start();
  let ending: Promise<void> | undefined;
  return { shutdown: () => (ending ??= endWithin(sdk, LAST_EXPORT_MS)) };
}

async function endWithin(sdk: NodeSDK, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), ms);
  });
  try {
    if ((await Promise.race([sdk.shutdown(), late])) === "late")
      diag.warn(`millrace: the last telemetry was not taken within ${ms} ms and is lost`);
  } catch (error) {
    diag.warn(`millrace: the last telemetry could not be exported: ${recordError(error).message}`);
  } finally {
    clearTimeout(timer);
  }
}
