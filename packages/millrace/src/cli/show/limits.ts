import { formatMs, type RateLimit } from "@millrace/core";

/** `20 at once`, `100 per 1s`. */
export function limitWords({
  concurrency,
  rate,
}: {
  readonly concurrency?: number | undefined;
  readonly rate?: RateLimit | undefined;
}): readonly string[] {
  return [
    ...(concurrency === undefined ? [] : [`${concurrency} at once`]),
    ...(rate === undefined ? [] : [`${rate.limit} per ${formatMs(rate.perMs)}`]),
  ];
}
