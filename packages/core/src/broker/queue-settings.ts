import { MillraceError } from "../errors/millrace-error.ts";
import { optionNames, refuseUnknown } from "../options/known-options.ts";
import { requireCount } from "../options/option-values.ts";
import type { QueueSettings } from "./broker.ts";

const NAMES = optionNames<QueueSettings>({
  ...{ maxJobs: true, maxBytes: true, dedupeWindowMs: true, replicas: true },
});

/**
 * A limit of 0 would be no limit to a server, and a queue without one never says that it is full.
 *
 * @throws MillraceError `invalid-option`
 */
export function requireQueueSettings(settings: QueueSettings): void {
  refuseUnknown(settings, NAMES, "a queue");
  const { dedupeWindowMs, replicas } = settings;
  if (dedupeWindowMs !== undefined) requireCount(dedupeWindowMs, "dedupeWindowMs");
  if (replicas !== undefined) requireCount(replicas, "replicas", 1, 5);
  for (const field of ["maxJobs", "maxBytes"] as const) {
    const value = settings[field];
    if (value === undefined || value === null) continue;
    if (!Number.isSafeInteger(value) || value < 1)
      throw new MillraceError(
        "invalid-option",
        `${field}: must be a whole number from 1, or null for no limit; got ${String(value)}.`,
      );
  }
}

/** What a snapshot says of the limits. */
export function limitsOfQueue({ maxJobs, maxBytes }: QueueSettings): {
  readonly maxJobs?: number;
  readonly maxBytes?: number;
} {
  return {
    ...(typeof maxJobs === "number" ? { maxJobs } : {}),
    ...(typeof maxBytes === "number" ? { maxBytes } : {}),
  };
}
