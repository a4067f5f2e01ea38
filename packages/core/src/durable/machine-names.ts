import { MillraceError } from "../errors/millrace-error.ts";

/** A machine's id and its definition's name: what its events are addressed to. */
export interface MachineRef {
  /** The definition's name. */
  readonly machine: string;
  readonly id: string;
}

/** Both are tokens of a subject, and stand together in the ids of the jobs that it invokes. */
const NAME = /^[A-Za-z0-9_-]{1,32}$/;
const ID = /^[A-Za-z0-9_:-]{1,50}$/;

export function isMachineName(value: unknown): value is string {
  return typeof value === "string" && NAME.test(value);
}

export function isMachineId(value: unknown): value is string {
  return typeof value === "string" && ID.test(value);
}

/** @throws MillraceError `invalid-name` */
export function requireMachineName(value: unknown): string {
  if (isMachineName(value)) return value;
  throw invalid("A machine's name", value, "up to 32 of A-Z a-z 0-9 _ -");
}

/** @throws MillraceError `invalid-name` */
export function requireMachineId(value: unknown): string {
  if (isMachineId(value)) return value;
  throw invalid("A machine's id", value, "up to 50 of A-Z a-z 0-9 _ : -");
}

function invalid(what: string, value: unknown, allowed: string): MillraceError {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 140)) : typeof value;
  return new MillraceError("invalid-name", `${what} is made of ${allowed}; got ${shown}.`);
}
