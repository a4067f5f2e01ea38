import {
  type Broker,
  type DeadLetter,
  decodeBody,
  encodeMsgpack,
  hasJsonForm,
  isPlainMap,
  MillraceError,
  RUNTIME_VALUES,
} from "@millrace/core";
import { mergePatch } from "./merge-patch.ts";

/** As many values as the letter's broker takes. */
type Limits = Pick<Broker, "maxValues">;

/**
 * The payload of a letter, to be edited as a text: what JSON has no form for would be stored as
 * something else. Null where there is none to be read: the operator writes it anew.
 *
 * @throws MillraceError `invalid-payload`
 */
export function oldPayloadAsJson(letter: DeadLetter, limits: Limits): unknown {
  const payload = oldPayload(letter, limits)?.payload ?? null;
  if (hasJsonForm(payload)) return payload;
  throw new MillraceError(
    "invalid-payload",
    "The payload holds bytes, times or numbers that JSON has no form for, so it can't be edited as a text. Give only what changes, with --merge, and the rest stays as it is; or give the whole new payload.",
  );
}

/**
 * The payload of a letter with what changes. What is not named stays as it is, also what JSON has
 * no form for.
 *
 * @throws MillraceError `unserializable-payload`, `payload-too-large`; `invalid-payload` where
 *   nothing of the old one could stay: it has no fields, or can't be read
 */
export function mergedPayload(letter: DeadLetter, changes: unknown, limits: Limits): unknown {
  const { maxValues } = limits;
  // As a producer's: what has a toJSON is what that gives.
  const rules = { maxValues, exact: true, wellFormed: true } as const;
  const patch = decodeBody(encodeMsgpack(changes, rules), undefined, maxValues);
  const old = oldPayload(letter, limits);
  // What is no map takes the place of the whole.
  if (!isPlainMap(patch)) return patch;
  if (old === undefined) throw notMerged("can't be read");
  if (old.payload !== null && !isPlainMap(old.payload)) throw notMerged("is no map with fields");
  return mergePatch(old.payload, patch);
}

/** As it is stored; undefined where it can't be read. */
function oldPayload(
  letter: DeadLetter,
  { maxValues }: Limits,
): { readonly payload: unknown } | undefined {
  try {
    const type = letter.headers["content-type"];
    const body = decodeBody(letter.body, type, maxValues + RUNTIME_VALUES);
    return isPlainMap(body) ? { payload: body["payload"] ?? null } : undefined;
  } catch {
    return undefined;
  }
}

function notMerged(why: string): MillraceError {
  return new MillraceError(
    "invalid-payload",
    `The payload ${why}, so no part of it can be changed. Give the whole new payload.`,
  );
}
