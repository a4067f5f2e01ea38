import { MillraceError } from "../errors/millrace-error.ts";
import type { AnyJobDefinition } from "./define-job.ts";

/**
 * A job is named by its definition, where other libraries take its name: from JavaScript it may be
 * that, or nothing at all where an import went wrong.
 *
 * @throws MillraceError `invalid-option`
 */
export function requireDefinition(job: Pick<AnyJobDefinition, "name" | "queue">): void {
  const given: unknown = job;
  const { name, queue } = (given ?? {}) as { readonly name?: unknown; readonly queue?: unknown };
  if (typeof given === "object" && typeof name === "string" && typeof queue === "string") return;
  throw new MillraceError(
    "invalid-option",
    `job: must be a definition, as defineJob() returned it; got ${shown(given)}.`,
  );
}

function shown(given: unknown): string {
  if (typeof given === "string") return `the text ${JSON.stringify(given.slice(0, 80))}`;
  if (given === undefined || given === null)
    return `${String(given)}, as of an export that there is not`;
  return typeof given === "object" ? "an object that is none" : `a ${typeof given}`;
}
