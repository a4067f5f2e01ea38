import { isPlainMap } from "@millrace/core";

/**
 * A value with a merge patch applied (RFC 7396): a map's keys replace those of the value, null
 * takes one away, and anything that is no map replaces the whole. Bytes and times are no maps.
 */
export function mergePatch(value: unknown, patch: unknown): unknown {
  if (!isPlainMap(patch)) return patch;
  const merged = new Map(isPlainMap(value) ? Object.entries(value) : []);
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), change));
  }
  return Object.fromEntries(merged);
}
