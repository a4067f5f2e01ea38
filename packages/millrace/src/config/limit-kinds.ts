import { formatMs, requireQueueName, toMs } from "@millrace/core";
import type { FieldKind } from "./field-kinds.ts";

/** A rate as a person writes it: `100/1s`, `10/1m`; null for `none`. */
export const rateOrNone: FieldKind<{ readonly limit: number; readonly per: number } | null> = {
  placeholder: "<100/1s|none>",
  parse(raw) {
    if (raw === "none") return null;
    const [, limit, period] = /^(\d+)\/(\d+(?:\.\d+)?(?:ms|s|m|h|d))$/.exec(String(raw)) ?? [];
    if (limit === undefined || period === undefined || Number(limit) === 0)
      throw new Error("must be jobs per time, such as 100/1s or 10/1m, or none");
    return { limit: Number(limit), per: toMs(period) };
  },
  show: (rate) => (rate === null ? "none" : `${rate.limit}/${formatMs(rate.per)}`),
};

/** Names of queues, or null for `none`. */
export const queuesOrNone: FieldKind<readonly string[] | null> = {
  placeholder: "<queue,queue|none>",
  parse(raw) {
    if (raw === "none") return null;
    const names = String(raw)
      .split(",")
      .map((name) => name.trim());
    return names.map((name) => requireQueueName(name));
  },
  show: (names) => (names === null ? "none" : names.join(",")),
};

/** A whole number from 1, or null for `none`. */
export const countOrNone = countKind(1);

/** A whole number from 0, or null for `none`. */
export const countFrom0OrNone = countKind(0);

function countKind(least: number): FieldKind<number | null> {
  return {
    placeholder: "<n|none>",
    parse(raw) {
      if (raw === "none") return null;
      const count = typeof raw === "string" && /^(0|[1-9]\d*)$/.test(raw) ? Number(raw) : -1;
      if (!Number.isSafeInteger(count) || count < least)
        throw new Error(`must be a whole number from ${least}, or none`);
      return count;
    },
    show: (count) => (count === null ? "none" : String(count)),
  };
}
