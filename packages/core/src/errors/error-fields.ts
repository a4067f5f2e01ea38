import { attempt, clip } from "./foreign-value.ts";

/**
 * Names the fields of an error that are kept where an attempt's failure is recorded: of a class, by
 * a static property, or of one error. Without it type, message and stack are kept.
 *
 * @example
 * class PaymentDeclined extends Error {
 *   static readonly [errorFields] = ["code", "declineCode"];
 *   code = "card_declined";
 *   declineCode = "expired_card";
 * }
 */
export const errorFields: unique symbol = Symbol.for("millrace.error-fields") as never;

/** Fields of an error as they are recorded: plain data, at most 1,024 bytes as JSON. */
export type RecordedFields = Readonly<Record<string, unknown>>;

const MAX_BYTES = 1_024;
const MAX_TEXT = 256;
const MAX_KEY = 64;
/** A record may hold two errors, and a message's values are counted. */
const MAX_VALUES = 60;
const MAX_DEPTH = 4;
/** They are kept anyway, or no decoder takes them. */
const LEFT_OUT = new Set(["message", "stack", "name", "__proto__"]);

/**
 * The fields that an error or its class names, as far as they fit, in their order. Never throws.
 *
 * @returns undefined where there are none
 */
export function ownFields(error: object): RecordedFields | undefined {
  const fields: Record<string, unknown> = {};
  const room = { values: MAX_VALUES };
  for (const name of namesOf(error)) {
    const value = attempt(() => plain((error as Record<string, unknown>)[name], room, 1));
    if (value === undefined) continue;
    fields[name] = value;
    if (bytesOf(fields) > MAX_BYTES) delete fields[name];
  }
  return Object.keys(fields).length === 0 ? undefined : fields;
}

/** The fields with each text of them changed, and bounded again: a mask may make one longer. */
export function mapTexts(
  fields: RecordedFields,
  change: (text: string) => string,
): RecordedFields | undefined {
  const names = Object.keys(fields);
  return ownFields({ ...(changed(fields, change) as object), [errorFields]: names });
}

/** An error that brings recorded fields along, as its class would have it. */
export function giveFields(error: Error, fields: RecordedFields): void {
  for (const [name, value] of Object.entries(fields))
    if (!LEFT_OUT.has(name))
      Object.defineProperty(error, name, { value, enumerable: true, configurable: true });
  Object.defineProperty(error, errorFields, { value: Object.keys(fields) });
}

function namesOf(error: object): readonly string[] {
  const named =
    attempt(() => (error as { [errorFields]?: unknown })[errorFields]) ??
    attempt(() => (error.constructor as { [errorFields]?: unknown })[errorFields]);
  const list = attempt(() => (Array.isArray(named) ? named.slice(0, MAX_VALUES) : [])) ?? [];
  return list.filter(
    (name): name is string =>
      typeof name === "string" &&
      name.length <= MAX_KEY &&
      name.isWellFormed() &&
      !LEFT_OUT.has(name),
  );
}

/** A value as every decoder takes it. @returns undefined of what has no form as data */
function plain(value: unknown, room: { values: number }, depth: number): unknown {
  if (--room.values < 0) return undefined;
  switch (typeof value) {
    case "string":
      return clip(value, MAX_TEXT);
    case "number":
      // No decoder gives -0 back.
      if (value === 0) return 0;
      return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))
        ? value
        : String(value);
    case "boolean":
      return value;
    case "bigint":
      return clip(value.toString(), MAX_TEXT);
    case "object":
      return value === null ? null : plainObject(value, room, depth);
    default:
      return undefined;
  }
}

function plainObject(value: object, room: { values: number }, depth: number): unknown {
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if ("toJSON" in value && typeof value.toJSON === "function") {
    const given: unknown = value.toJSON();
    return typeof given === "object" ? undefined : plain(given, room, depth);
  }
  if (depth >= MAX_DEPTH) return undefined;
  if (Array.isArray(value))
    return value.slice(0, MAX_VALUES).map((item) => plain(item, room, depth + 1) ?? null);
  const copy: Record<string, unknown> = {};
  for (const key in value) {
    if (room.values <= 0) break;
    if (!Object.hasOwn(value, key)) continue;
    if (key === "__proto__" || key.length > MAX_KEY || !key.isWellFormed()) continue;
    const kept = plain((value as Readonly<Record<string, unknown>>)[key], room, depth + 1);
    if (kept !== undefined) copy[key] = kept;
  }
  return copy;
}

function changed(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => changed(item, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, changed(item, change)]),
  );
}

function bytesOf(fields: RecordedFields): number {
  return new TextEncoder().encode(JSON.stringify(fields)).length;
}
