import { createHash } from "node:crypto";
import { defined } from "@millrace/core";
import { createMask, type Mask } from "@millrace/telemetry/masking";
import type { Config } from "./fields.ts";

type Named = Pick<Config, "maskKeys" | "maskPatterns">;

const NAMED = new WeakMap<Mask, Named>();

/** The mask of a configuration: the built-in secrets, and those it names. */
export function maskOf({ maskKeys, maskPatterns }: Named): Mask {
  const mask = createMask({
    ...(maskKeys === undefined ? {} : { keys: maskKeys }),
    ...(maskPatterns === undefined
      ? {}
      : { patterns: maskPatterns.map((source) => new RegExp(source, "u")) }),
  });
  NAMED.set(mask, defined({ maskKeys, maskPatterns }));
  return mask;
}

/** The same where two configurations name the same secrets; none of a mask made elsewhere. */
export function printOf(mask: Mask): string | undefined {
  const named = NAMED.get(mask);
  if (named === undefined) return undefined;
  const lists = [named.maskKeys, named.maskPatterns].map((list = []) => list.toSorted());
  return createHash("sha256").update(JSON.stringify(lists)).digest("hex").slice(0, 16);
}
