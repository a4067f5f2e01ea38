import { format } from "node:util";
import { type JobLogLevel, type JobLogLine, recordError } from "@millrace/core";

const MAX_MESSAGE = 4_096;
/** A longer one is cut before it is masked: masking looks at every character. */
const MAX_TO_MASK = 65_536;
const MAX_FIELDS = 16_384;
/** What a line takes beside its texts. */
const OWN_BYTES = 64;

export interface Said {
  readonly at: number;
  readonly level: JobLogLevel;
  /** As the logger was called: `(fields, message)`, and what pino takes besides. */
  readonly said: readonly unknown[];
  /** Of the handler's own child loggers. */
  readonly bound: object | undefined;
}

export interface SizedLine {
  readonly line: JobLogLine;
  /** About as much as it takes. */
  readonly bytes: number;
}

/** A line as it is kept: masked, plain and bounded. Never throws, whatever was logged. */
export function lineOf(
  { at, level, said: [first, ...rest], bound }: Said,
  mask: ((value: unknown) => unknown) | undefined,
): SizedLine {
  const isError = first instanceof Error;
  const hasFields = typeof first === "object" && first !== null;
  const own = isError ? { err: first } : hasFields ? first : undefined;
  const words = hasFields ? rest : [first, ...rest];
  const text = words.length > 0 ? textOf(words) : isError ? first.message : "";
  const message = masked(text.slice(0, MAX_TO_MASK), mask);
  const fields =
    own === undefined && bound === undefined ? undefined : fieldsOf({ ...bound, ...own }, mask);
  const shown = (typeof message === "string" ? message : UNMASKABLE).slice(0, MAX_MESSAGE);
  return {
    line: {
      ...{ at, level, message: shown.toWellFormed() },
      ...(fields === undefined ? {} : { fields: fields.value }),
    },
    bytes: OWN_BYTES + shown.length + (fields?.bytes ?? 0),
  };
}

const UNMASKABLE = "(left out: the mask threw)";

function textOf(words: readonly unknown[]): string {
  try {
    return format(...words);
  } catch {
    return "(unreadable)";
  }
}

function masked(value: unknown, mask: ((value: unknown) => unknown) | undefined): unknown {
  if (mask === undefined) return value;
  try {
    return mask(value);
  } catch {
    return UNMASKABLE;
  }
}

interface Fields {
  readonly value: Readonly<Record<string, unknown>>;
  readonly bytes: number;
}

function fieldsOf(
  given: object,
  mask: ((value: unknown) => unknown) | undefined,
): Fields | undefined {
  const text = jsonOf(given);
  if (text === undefined) return leftOut("unreadable");
  if (text === "{}") return undefined;
  // Not cut: half of a value has none of the keys that a mask knows secrets by.
  if (text.length > MAX_FIELDS) return leftOut(`${text.length} characters of fields`);
  const shown = masked(JSON.parse(text), mask);
  if (typeof shown !== "object" || shown === null) return leftOut("the mask threw");
  return { value: shown as Fields["value"], bytes: text.length };
}

function leftOut(why: string): Fields {
  return { value: { "left out": why }, bytes: 64 };
}

/** Getters and `toJSON` of a foreign value may throw, and it may hold itself. */
function jsonOf(value: object): string | undefined {
  try {
    return JSON.stringify(value, (_key, item: unknown) =>
      item instanceof Error
        ? recordError(item)
        : typeof item === "bigint"
          ? item.toString()
          : typeof item === "string"
            ? item.toWellFormed()
            : item,
    );
  } catch {
    return undefined;
  }
}
