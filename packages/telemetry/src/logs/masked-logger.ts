import { type Logger, wrapLogger } from "@millrace/core";
import type { Mask } from "../masking/index.ts";
import { maskFields, maskThrown } from "./mask-fields.ts";
import { boundKeys, underOwnKeys } from "./own-keys.ts";
import { activeTraceIds, type TraceIds } from "./trace-ids.ts";

/**
 * The same logger, with its secrets masked and its lines bound to the active span: `trace_id` and
 * `span_id`. What is bound by `child` inside of a span keeps that span's ids for lines that are
 * written outside of any. No line has a key twice: a field whose key the line has already is
 * written under the key with `_` behind it. Everything else the logger can do, it can still do.
 *
 * @example
 * const log = maskedLogger(pino(), mask);
 * log.info({ password: "x" }, "GET /?token=abc"); // {"password":"***","msg":"GET /?token=***"}
 */
export function maskedLogger<Log extends Logger>(log: Log, mask: Mask): Log {
  return wrap(log, { mask, ids: undefined, taken: boundKeys(log) });
}

interface Bound {
  readonly mask: Mask;
  readonly ids: TraceIds | undefined;
  /** Keys that each line has already. */
  readonly taken: ReadonlySet<string>;
}

function wrap<Log extends Logger>(log: Log, bound: Bound): Log {
  const { mask, taken } = bound;
  return wrapLogger(log, {
    child(make, [fields, ...options]) {
      const own = underOwnKeys(maskFields(fields as object, mask), taken);
      return wrap(make([own, ...options]), {
        mask,
        ids: activeTraceIds() ?? bound.ids,
        taken: new Set([...taken, ...Object.keys(own)]),
      });
    },
    line(write, said, method) {
      if (!isSilent(log, method)) write(line(said, bound, activeTraceIds() ?? bound.ids));
    },
  });
}

/** What is not written need not be masked. */
function isSilent(log: object, level: PropertyKey): boolean {
  return (
    "isLevelEnabled" in log &&
    typeof log.isLevelEnabled === "function" &&
    (log.isLevelEnabled as (level: PropertyKey) => unknown)(level) === false
  );
}

/**
 * A line's arguments: `(fields, message)`, and what pino takes besides: a message alone, an error,
 * values for the message.
 */
function line(
  [first, ...rest]: readonly unknown[],
  { mask, taken }: Bound,
  ids: TraceIds | undefined,
): readonly unknown[] {
  const others = rest.map((value) => mask(value));
  if (first instanceof Error) {
    // Under no other key: pino writes an error out there, and as `{}` elsewhere.
    const err = maskThrown(first, mask);
    return [
      { ...underOwnKeys(ids ?? {}, taken), err },
      ...(others.length === 0 ? [err.message] : others),
    ];
  }
  if (typeof first === "object" && first !== null) {
    const fields = { ...ids, ...maskFields(first, mask) };
    // A message is `msg`; without one, `msg` among the fields is the message.
    return [underOwnKeys(fields, taken, others.length === 0 ? undefined : "msg"), ...others];
  }
  if (ids === undefined) return [mask(first), ...others];
  return [underOwnKeys(ids, taken), mask(first), ...others];
}
