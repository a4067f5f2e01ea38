import { MillraceError } from "@millrace/core";
import type { DashboardUser } from "./user.ts";

/** What a request needs that does more than look at what is masked. */
export type Right = "operator" | "payloads";

/** @throws MillraceError `dashboard-denied` */
export function requireRight({ name, role, payloads }: DashboardUser, right: Right): void {
  if (right === "operator" && role !== "operator")
    throw denied(`${name} may look, and not change anything.`);
  // Only true, whatever else an application's authorize may say.
  if (right === "payloads" && payloads !== true)
    throw denied(`${name} may not see what is masked.`);
}

function denied(message: string): MillraceError {
  return new MillraceError("dashboard-denied", message);
}
