import { defined, MillraceError } from "@millrace/core";
import type { Config } from "../config/fields.ts";
import type { JobIndexOptions } from "./index-options.ts";

/**
 * Where the configuration says that an index of jobs is kept. Undefined: nowhere.
 *
 * @throws MillraceError `invalid-option` where it names two places
 */
export function configuredIndex({
  jobIndex,
  jobIndexPostgres,
}: Pick<Config, "jobIndex" | "jobIndexPostgres">):
  Pick<JobIndexOptions, "path" | "postgres"> | undefined {
  if (jobIndex === undefined && jobIndexPostgres === undefined) return undefined;
  if (jobIndex !== undefined && jobIndexPostgres !== undefined)
    throw new MillraceError("invalid-option", "jobIndex and jobIndexPostgres: set one of them.");
  return defined({ path: jobIndex, postgres: jobIndexPostgres });
}
