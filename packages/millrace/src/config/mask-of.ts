import { createMask, type Mask } from "@millrace/telemetry/masking";
import type { Config } from "./fields.ts";

/** The mask of a configuration: the built-in secrets, and those it names. */
export function maskOf({
  maskKeys,
  maskPatterns,
}: Pick<Config, "maskKeys" | "maskPatterns">): Mask {
  return createMask({
    ...(maskKeys === undefined ? {} : { keys: maskKeys }),
    ...(maskPatterns === undefined
      ? {}
      : { patterns: maskPatterns.map((source) => new RegExp(source, "u")) }),
  });
}
