import { formatSeconds } from "@millrace/core";
import { clean } from "./clean.ts";

/** `n1, which does not answer for 44s`. */
export function shownSilence(node: string | undefined, silentMs: number): string {
  return `${clean(node ?? "a node")}, which does not answer for ${formatSeconds(silentMs)}`;
}
