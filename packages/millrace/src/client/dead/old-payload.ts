import { type DeadLetter, decodeBody, MillraceError } from "@millrace/core";

/**
 * The payload of a letter as JSON can hold it: bytes and other things it has no form for can't be
 * edited as text. Null where there is none to be read.
 *
 * @throws MillraceError `invalid-payload`
 */
export function oldPayload(letter: DeadLetter): unknown {
  let body: unknown;
  try {
    body = decodeBody(letter.body, letter.headers["content-type"]);
  } catch {
    // Unreadable: the operator writes it anew.
    return null;
  }
  const payload: unknown =
    typeof body === "object" && body !== null && "payload" in body ? body.payload : null;
  refuseBinary(payload);
  return payload;
}

function refuseBinary(value: unknown): void {
  if (typeof value === "bigint" || ArrayBuffer.isView(value) || value instanceof Date)
    throw new MillraceError(
      "invalid-payload",
      "The payload holds bytes, times or numbers that JSON has no form for, so parts of it can't be changed. Give the whole new payload: dead.edit() in code takes what JSON has no form for, too.",
    );
  if (typeof value === "object" && value !== null) Object.values(value).forEach(refuseBinary);
}
