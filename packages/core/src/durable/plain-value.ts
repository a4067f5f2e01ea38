import { DEFAULT_MAX_VALUES } from "../envelope/body-limits.ts";
import { scanJson } from "../envelope/json-scan.ts";
import { fieldBesideEntries } from "../envelope/list-fields.ts";
import { isWideInteger, wideInteger } from "../envelope/value-path.ts";
import { MillraceError } from "../errors/millrace-error.ts";

const MAX_DEPTH = 64;
/** Of a field's name. */
const MOST_SHOWN = 50;

/**
 * What of a value JSON would lose or alter, with its place. What is `undefined` is as JSON has it:
 * a field is left out, and an entry of a list is `null`. Whoever keeps the value keeps what is read
 * back.
 *
 * @param place where the value stands: `context`
 * @returns undefined where it can be held as it is
 */
export function notPlain(value: unknown, place: string): string | undefined {
  return whatIsLost(value, place, false);
}

/**
 * The same of what is sent to a machine. Its host reads what anybody may have written, and refuses
 * a whole number that may have been another one.
 */
export function notSendable(value: unknown, place: string): string | undefined {
  return whatIsLost(value, place, true);
}

function whatIsLost(value: unknown, place: string, isSent: boolean, depth = 0): string | undefined {
  if (depth > MAX_DEPTH) return `${place} nests deeper than ${MAX_DEPTH} levels`;
  switch (typeof value) {
    case "string":
      return value.isWellFormed() ? undefined : `${place} has half a character (a lone surrogate)`;
    case "boolean":
    case "undefined":
      return undefined;
    case "number":
      if (isSent && isWideInteger(value)) return wideInteger(place);
      return Number.isFinite(value) ? undefined : `${place} is ${value}`;
    case "object":
      return value === null ? undefined : ofObject(value, place, isSent, depth);
    default:
      return `${place} is a ${typeof value}`;
  }
}

function ofObject(
  value: object,
  place: string,
  isSent: boolean,
  depth: number,
): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  const isList = Array.isArray(value);
  // Of another realm too, as where a test runner has one of its own.
  if (!isList && prototype !== null && Object.getPrototypeOf(prototype) !== null)
    return `${place} is a ${value.constructor.name || "object of a class"}`;
  const beside = isList ? fieldBesideEntries(value) : undefined;
  if (beside !== undefined)
    return `${place} is a list with a field of its own, ${JSON.stringify(beside.slice(0, MOST_SHOWN))}`;
  for (const [key, item] of Object.entries(value)) {
    const within = isList ? `${place}[${key}]` : `${place}.${key}`;
    const trouble = whatIsLost(item, within, isSent, depth + 1);
    if (trouble !== undefined) return trouble;
  }
  return undefined;
}

/** @throws MillraceError `unserializable-payload` */
export function requirePlain(value: unknown, place: string): void {
  refuse(notPlain(value, place));
}

/** @throws MillraceError `unserializable-payload` */
export function requireSendableEvent(value: unknown, place: string): void {
  refuse(notSendable(value, place));
}

function refuse(trouble: string | undefined): void {
  if (trouble === undefined) return;
  throw new MillraceError(
    "unserializable-payload",
    `${trouble}. A machine is stored as JSON: keep plain data in it.`,
  );
}

/**
 * An event or an input that holds more values would not be read by its machine.
 *
 * @param data its JSON
 * @throws MillraceError `payload-too-large`
 */
export function requireFewValues(data: Uint8Array, place: string): void {
  // What has fewer bytes has no more values.
  if (data.length <= DEFAULT_MAX_VALUES) return;
  try {
    scanJson(data, DEFAULT_MAX_VALUES, Number.POSITIVE_INFINITY, false);
  } catch (cause) {
    throw new MillraceError(
      "payload-too-large",
      `${place} holds more than ${DEFAULT_MAX_VALUES.toLocaleString("en")} values. Store the data elsewhere and send a reference to it.`,
      { cause },
    );
  }
}
