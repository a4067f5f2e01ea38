import { defined, MillraceError } from "@millrace/core";
import type { Config } from "../config/fields.ts";
import type { JobIndexOptions } from "./index-options.ts";

type Place = Pick<Config, "jobIndex" | "jobIndexPostgres">;

const MIB = 2 ** 20;

/**
 * Where and how much of an index the configuration says to keep. Where it names no place, the index
 * goes with the process.
 *
 * @throws MillraceError `invalid-option` where it names two places
 */
export function configuredIndex({
  jobIndex,
  jobIndexPostgres,
  jobIndexKeepMs,
  jobIndexMaxMb,
}: Place & Pick<Config, "jobIndexKeepMs" | "jobIndexMaxMb">): Pick<
  JobIndexOptions,
  "path" | "postgres" | "keepMs" | "maxBytes"
> {
  if (jobIndex !== undefined && jobIndexPostgres !== undefined)
    throw new MillraceError("invalid-option", "jobIndex and jobIndexPostgres: set one of them.");
  return {
    ...{ keepMs: jobIndexKeepMs, maxBytes: jobIndexMaxMb * MIB },
    ...defined({ path: jobIndex, postgres: jobIndexPostgres }),
  };
}

/** Whether the configuration names a place where an index is kept. */
export function keepsIndex({ jobIndex, jobIndexPostgres }: Place): boolean {
  return jobIndex !== undefined || jobIndexPostgres !== undefined;
}
