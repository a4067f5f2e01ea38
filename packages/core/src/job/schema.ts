import type { StandardSchemaV1 } from "@standard-schema/spec";
import { MillraceError } from "../errors/millrace-error.ts";

/** Any schema of a library that speaks Standard Schema 1: zod, valibot, arktype and others. */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>;

/**
 * The value as the schema gives it back. Synchronous where the schema is, so that a job's hot path
 * has no needless turn of the event loop.
 *
 * @throws MillraceError `invalid-payload` or `invalid-output`, naming each field and what is wrong
 *   with it, never the value, which may be a secret
 */
export function validate<Output>(
  schema: Schema<unknown, Output>,
  value: unknown,
  code: "invalid-payload" | "invalid-output",
  what: string,
): Output | Promise<Output> {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise
    ? result.then((late) => accept(late, code, what))
    : accept(result, code, what);
}

function accept<Output>(
  result: StandardSchemaV1.Result<Output>,
  code: "invalid-payload" | "invalid-output",
  what: string,
): Output {
  if (result.issues === undefined) return result.value;
  const shown = result.issues.slice(0, 5).map((issue) => {
    const path = (issue.path ?? [])
      .map((step) => String(typeof step === "object" ? step.key : step))
      .join(".");
    return path === "" ? issue.message : `${path}: ${issue.message}`;
  });
  const more =
    result.issues.length > shown.length ? ` (and ${result.issues.length - shown.length} more)` : "";
  throw new MillraceError(code, `${what} does not satisfy its schema: ${shown.join("; ")}${more}.`);
}
