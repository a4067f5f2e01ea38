import { serverList } from "@millrace/broker-nats";
import { formatMs, requireNamespace, requireQueueName, toMs } from "@millrace/core";

/**
 * How a field's value is read. `parse` takes what a flag, a variable or a file holds (text, or the
 * file's own types) and throws an `Error` that says what was expected, without the value: the
 * caller knows whether it may be shown.
 */
export interface FieldKind<Value> {
  /** Stands for the value in `--help`: `<ms|30s>`. Absent for a flag that takes none. */
  readonly placeholder: string | undefined;
  /** What a shell offers for the value. One that ends with `:` goes on behind it. */
  readonly begins?: readonly string[];
  parse(raw: unknown): Value;
  /** A default as it stands in the docs. */
  show(value: Value): string;
}

export const text: FieldKind<string> = {
  placeholder: "<text>",
  parse(raw) {
    if (typeof raw !== "string" || raw.trim() === "")
      throw new Error("must be a text that is not empty");
    return raw.trim();
  },
  show: (value) => value,
};

export const file: FieldKind<string> = { ...text, placeholder: "<file>" };

export const directory: FieldKind<string> = { ...text, placeholder: "<dir>" };

export const namespace: FieldKind<string> = {
  ...text,
  placeholder: "<name>",
  parse: (raw) => requireNamespace(raw),
};

const TRACE_ID = "{traceId}";

export const traceAddress: FieldKind<string> = {
  placeholder: "<url>",
  parse(raw) {
    const address = text.parse(raw);
    const example = address.replace(TRACE_ID, "0");
    if (example !== address && URL.canParse(example) && /^https?:\/\//i.test(address))
      return address;
    throw new Error(`must be an http address with ${TRACE_ID} in it`);
  },
  show: (value) => value,
};

/** A page for people. */
export const webAddress: FieldKind<string> = {
  placeholder: "<url>",
  parse(raw) {
    const address = text.parse(raw);
    if (URL.canParse(address) && /^https?:\/\//i.test(address)) return address;
    throw new Error("must be an http address");
  },
  show: (value) => value,
};

/** Where a trace is shown. */
export function traceLink(address: string, traceId: string): string {
  return address.replaceAll(TRACE_ID, traceId);
}

export const list: FieldKind<readonly string[]> = {
  placeholder: "<a,b>",
  parse(raw) {
    const items = Array.isArray(raw) ? raw.flatMap((item) => split(item)) : split(raw);
    if (items.length === 0) throw new Error("must hold at least one entry");
    return items;
  },
  show: (value) => value.join(","),
};

/** Regular expressions, as their source. Commas belong to them, so one text has one a line. */
export const patterns: FieldKind<readonly string[]> = {
  placeholder: "<regex>",
  parse(raw) {
    const lines: readonly unknown[] = Array.isArray(raw)
      ? raw
      : typeof raw === "string"
        ? raw.split("\n").filter((line) => line.trim() !== "")
        : [];
    if (lines.length === 0) throw new Error("must be regular expressions, one a line");
    return lines.map((source) => {
      if (typeof source !== "string") throw new Error("must be texts, not expressions of code");
      try {
        return new RegExp(source, "u").source;
      } catch {
        throw new Error("must be regular expressions as JavaScript reads them with the flag u");
      }
    });
  },
  show: (value) => value.join("\n"),
};

const SERVER = /^((nats|tls):\/\/)?[^/]+\/?$/i;

export const servers: FieldKind<readonly string[]> = {
  ...list,
  parse(raw) {
    const texts: readonly unknown[] = Array.isArray(raw) ? raw : [raw];
    // Each by itself: only within one text can a comma be a password's.
    for (const one of texts) if (typeof one === "string") serverList(one);
    const found = list.parse(raw);
    if (found.every((server) => SERVER.test(server))) return found;
    throw new Error("must be addresses such as nats://host:4222, tls://host or host:4222");
  },
};

export const duration: FieldKind<number> = {
  placeholder: "<30s>",
  parse(raw) {
    if (typeof raw === "number") return toMs(raw);
    if (typeof raw !== "string") throw new Error("must be a duration such as 30s or milliseconds");
    const trimmed = raw.trim();
    try {
      return toMs(/^\d+$/.test(trimmed) ? Number(trimmed) : trimmed);
    } catch {
      throw new Error("must be a duration such as 500ms, 30s, 5m, or whole milliseconds");
    }
  },
  show: formatMs,
};

/** One in which something is kept: none would keep nothing. */
export const keptFor: FieldKind<number> = {
  ...duration,
  parse(raw) {
    const ms = duration.parse(raw);
    if (ms > 0) return ms;
    throw new Error("must be more than 0");
  },
};

const MOST_TIMER_MS = 24 * 86_400_000;

/** One that a timer of Node takes: one for longer would be over at once. */
export const timerDuration: FieldKind<number> = {
  ...duration,
  parse(raw) {
    const ms = duration.parse(raw);
    if (ms <= MOST_TIMER_MS) return ms;
    throw new Error("must be 24 days at most");
  },
};

export const flag: FieldKind<boolean> = {
  placeholder: undefined,
  parse(raw) {
    if (typeof raw === "boolean") return raw;
    const word = typeof raw === "string" ? raw.trim().toLowerCase() : "";
    if (["1", "true", "yes", "on"].includes(word)) return true;
    if (["0", "false", "no", "off"].includes(word)) return false;
    throw new Error("must be true or false");
  },
  show: String,
};

/** Whole numbers within bounds, both included. */
export function whole(from: number, to: number): FieldKind<number> {
  return {
    placeholder: "<n>",
    parse(raw) {
      const value = typeof raw === "string" && /^\d+$/.test(raw.trim()) ? Number(raw) : raw;
      if (typeof value === "number" && Number.isSafeInteger(value) && value >= from && value <= to)
        return value;
      throw new Error(`must be a whole number from ${from} to ${to}`);
    },
    show: String,
  };
}

export function oneOf<const Choice extends string>(
  ...choices: readonly Choice[]
): FieldKind<Choice> {
  return {
    placeholder: `<${choices.join("|")}>`,
    parse(raw) {
      const found = choices.find((choice) => choice === raw);
      if (found === undefined) throw new Error(`must be one of ${choices.join(", ")}`);
      return found;
    },
    show: (value) => value,
  };
}

/** What JetStream takes as copies and can lose one of. */
export const replicaCount: FieldKind<number> = {
  placeholder: "<1|3|5>",
  parse(raw) {
    const value = typeof raw === "string" ? Number(raw) : raw;
    if (value === 1 || value === 3 || value === 5) return value;
    throw new Error("must be 1, 3 or 5");
  },
  show: String,
};

/** Slots by queue: `mail:10,images:2`, or a map in a file. */
export const queueSlots: FieldKind<Readonly<Record<string, number>>> = {
  placeholder: "<mail:10,…>",
  parse(raw) {
    const pairs =
      typeof raw === "object" && raw !== null && !Array.isArray(raw)
        ? Object.entries(raw)
        : list.parse(raw).map(pairOf);
    return Object.freeze(
      Object.fromEntries(
        pairs.map(([queue, slots]) => [requireQueueName(queue), slotCount.parse(slots)]),
      ),
    );
  },
  show: (value) =>
    Object.entries(value)
      .map(([queue, slots]) => `${queue}:${slots}`)
      .join(","),
};

const slotCount = whole(1, 10_000);

function pairOf(entry: string): [queue: string, slots: unknown] {
  const parts = entry.split(":");
  if (parts.length !== 2) throw new Error("must be queue:slots pairs such as mail:10,images:2");
  return [parts[0] as string, parts[1]];
}

function split(raw: unknown): string[] {
  if (typeof raw !== "string") throw new Error("must be a list of texts, or one text with commas");
  return raw
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}
