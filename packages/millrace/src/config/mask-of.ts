import { createHash } from "node:crypto";
import { createMask, type Mask } from "@millrace/telemetry/masking";
import type { Config } from "./fields.ts";

const PRINTS = new WeakMap<Mask, string>();

/** The mask of a configuration: the built-in secrets, and those it names. */
export function maskOf({
  maskKeys,
  maskPatterns,
}: Pick<Config, "maskKeys" | "maskPatterns">): Mask {
  const mask = createMask({
    ...(maskKeys === undefined ? {} : { keys: maskKeys }),
    ...(maskPatterns === undefined
      ? {}
      : { patterns: maskPatterns.map((source) => new RegExp(source, "u")) }),
  });
  const named = JSON.stringify([maskKeys, maskPatterns].map((list = []) => list.toSorted()));
  PRINTS.set(mask, createHash("sha256").update(named).digest("hex").slice(0, 16));
  return mask;
}

/** The same where two configurations name the same secrets; none of a mask made elsewhere. */
export function printOf(mask: Mask): string | undefined {
  return PRINTS.get(mask);
}
