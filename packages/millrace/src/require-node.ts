import { MillraceError } from "@millrace/core";
import { nodeProblem } from "./supported-node.ts";

/** @throws MillraceError `nodejs-too-old` */
export function requireNode(): void {
  const problem = nodeProblem(process.versions);
  if (problem !== undefined) throw new MillraceError("nodejs-too-old", problem);
}
