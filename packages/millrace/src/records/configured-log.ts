import { defined, type ExecutionLog, type Logger, type MetricsCollector } from "@millrace/core";
import { executionRecords } from "@millrace/telemetry/records";
import type { Config } from "../config/fields.ts";
import { maskOf } from "../config/mask-of.ts";
import { configuredStores, openStore } from "./record-stores.ts";

/**
 * The execution log that the configuration asks for; undefined where it asks for none, or code
 * brings its own.
 */
export function configuredLog(
  config: Config,
  own: {
    readonly executionLog?: ExecutionLog;
    readonly log?: Logger;
    readonly metrics?: MetricsCollector;
  },
): ExecutionLog | undefined {
  if (own.executionLog !== undefined) return undefined;
  const stores = configuredStores(config);
  if (stores.length === 0) return undefined;
  return executionRecords({
    handlers: stores.map((store) => openStore(store, config)),
    mask: maskOf(config),
    ...defined({ log: own.log, metrics: own.metrics }),
  });
}
