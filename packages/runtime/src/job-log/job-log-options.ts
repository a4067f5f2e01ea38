import { inspect } from "node:util";
import {
  JOB_LOG_LEVELS,
  type JobLogLevel,
  MillraceError,
  optionNames,
  refuseUnknown,
} from "@millrace/core";

/** What is kept of the lines that handlers log. */
export interface JobLogOptions {
  /** Lines of a lower level are not kept. Default: `info`. */
  readonly level?: JobLogLevel;
  /** Of one attempt; what comes after is counted, and not kept. Default: 1,000. */
  readonly maxLines?: number;
  /** Of one attempt, roughly. Default: 256 KiB. */
  readonly maxBytes?: number;
  /** Hides secrets in messages and fields before they are kept. Default: nothing is hidden. */
  readonly mask?: (value: unknown) => unknown;
}

export type JobLogConfig = Required<Omit<JobLogOptions, "mask">> & Pick<JobLogOptions, "mask">;

const NAMES = optionNames<JobLogOptions>({
  ...{ level: true, maxLines: true, maxBytes: true, mask: true },
});
const DEFAULT_LINES = 1_000;
const DEFAULT_BYTES = 256 * 1_024;

/** @throws MillraceError `invalid-option` */
export function jobLogConfig(options: JobLogOptions | undefined): JobLogConfig | undefined {
  if (options === undefined) return undefined;
  refuseUnknown(options, NAMES, "jobLogs", "jobLogs");
  const { level = "info", maxLines = DEFAULT_LINES, maxBytes = DEFAULT_BYTES, mask } = options;
  if (!JOB_LOG_LEVELS.includes(level))
    throw wrong("level", `one of ${JOB_LOG_LEVELS.join(", ")}`, level);
  for (const [field, value] of Object.entries({ maxLines, maxBytes }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw wrong(field, "a whole number from 1", value);
  return { level, maxLines, maxBytes, ...(mask === undefined ? {} : { mask }) };
}

function wrong(field: string, expected: string, value: unknown): MillraceError {
  return new MillraceError(
    "invalid-option",
    `jobLogs.${field} must be ${expected}; got ${inspect(value)}.`,
  );
}
