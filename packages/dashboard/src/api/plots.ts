import { MillraceError } from "@millrace/core";
import type { FleetQueueSample, FleetSample } from "../fleet/fleet.ts";
import type { DashboardSearch, SearchedRate } from "../fleet/search.ts";
import type { EndedView, PlotsView, QueueOverTimeView, SampledView } from "./views/plots-views.ts";
import type { Reading } from "./reading.ts";

const MINUTE_MS = 60_000;
/** A range, and its steps: no shorter than a sample and a minute of the index, up to 180 points. */
const RANGES: Readonly<Record<string, readonly [rangeMs: number, stepMs: number]>> = {
  "5m": [5 * MINUTE_MS, MINUTE_MS],
  "15m": [15 * MINUTE_MS, MINUTE_MS],
  "1h": [60 * MINUTE_MS, MINUTE_MS],
  "6h": [360 * MINUTE_MS, 2 * MINUTE_MS],
  "24h": [1_440 * MINUTE_MS, 10 * MINUTE_MS],
  "7d": [10_080 * MINUTE_MS, 60 * MINUTE_MS],
};
/** A fleet in which nothing moves is sampled this rarely. */
const STILL_MS = 11 * MINUTE_MS;

export async function plots(
  { fleet, now }: Reading,
  search: DashboardSearch | undefined,
  range: string,
  queue: string | undefined,
): Promise<PlotsView> {
  const known = Object.hasOwn(RANGES, range) ? RANGES[range] : undefined;
  if (known === undefined)
    throw new MillraceError(
      "invalid-option",
      `range: must be one of ${Object.keys(RANGES).join(", ")}.`,
    );
  const [rangeMs, stepMs] = known;
  const to = now();
  // The range's number of steps, as their sums are told as its own: the last is not over yet.
  const from = Math.ceil((to - rangeMs) / stepMs) * stepMs;
  const steps = Array.from(
    { length: Math.ceil((to - from) / stepMs) },
    (_, n) => from + n * stepMs,
  );
  const of = queue === undefined ? {} : { queue };
  const [samples, rates] = await Promise.all([
    fleet.samples.list({ since: from - STILL_MS }),
    search?.rates({ since: from, stepMs, ...of }),
  ]);
  const seen = samplesOfEach(samples, steps, stepMs);
  return {
    ...{ from, to },
    ...(rates === undefined ? {} : { ended: endedView(rates, steps) }),
    sampled: sampledView(seen, steps, queue),
    ...(queue === undefined ? { queues: eachQueue(seen) } : {}),
  };
}

function endedView(rates: readonly SearchedRate[], steps: readonly number[]): EndedView {
  const byTime = new Map(rates.map((rate) => [rate.at, rate]));
  const numbers = (field: "succeeded" | "failed" | "dead"): readonly number[] =>
    steps.map((at) => byTime.get(at)?.[field] ?? 0);
  const lengths = (
    field: "p50Ms" | "p95Ms",
    of: (rate: SearchedRate) => SearchedRate["waited"] = (rate) => rate,
  ): readonly (number | null)[] =>
    steps.map((at) => {
      const rate = byTime.get(at);
      return (rate && of(rate)?.[field]) ?? null;
    });
  const waited = (rate: SearchedRate): SearchedRate["waited"] => rate.waited;
  return {
    at: steps,
    ...{ succeeded: numbers("succeeded"), failed: numbers("failed"), dead: numbers("dead") },
    ...{ p50Ms: lengths("p50Ms"), p95Ms: lengths("p95Ms") },
    ...{ waited50Ms: lengths("p50Ms", waited), waited95Ms: lengths("p95Ms", waited) },
  };
}

interface Point extends FleetQueueSample {
  readonly slots: number;
  readonly used: number;
}

/** Which samples tell of each step. */
function samplesOfEach(
  samples: readonly FleetSample[],
  steps: readonly number[],
  stepMs: number,
): readonly (readonly FleetSample[])[] {
  let next = 0;
  let last: FleetSample | undefined;
  return steps.map((at) => {
    const within: FleetSample[] = [];
    for (; next < samples.length && (samples[next]?.at ?? 0) < at + stepMs; next += 1) {
      last = samples[next];
      if (last !== undefined && last.at >= at) within.push(last);
    }
    // Where nothing moves, what was seen last still holds.
    if (within.length === 0 && last !== undefined && at - last.at < STILL_MS) within.push(last);
    return within;
  });
}

/** Of a row in a table: as many as can be told apart. */
const MOST_PARTS = 24;

function eachQueue(
  seen: readonly (readonly FleetSample[])[],
): Readonly<Record<string, QueueOverTimeView>> {
  const size = Math.ceil(seen.length / MOST_PARTS);
  const parts = Array.from({ length: Math.ceil(seen.length / size) }, (_, n) =>
    seen.slice(n * size, (n + 1) * size).flat(),
  );
  const nothing = parts.map((part) => (part.length === 0 ? null : 0));
  const queues = new Map<string, { queued: (number | null)[]; oldestAgeMs: (number | null)[] }>();
  for (const [n, part] of parts.entries())
    for (const sample of part)
      for (const [queue, { queued, oldestAgeMs }] of Object.entries(sample.queues)) {
        if (queued === 0 && oldestAgeMs === 0) continue;
        const of = queues.get(queue) ?? { queued: [...nothing], oldestAgeMs: [...nothing] };
        queues.set(queue, of);
        of.queued[n] = Math.max(of.queued[n] ?? 0, queued);
        of.oldestAgeMs[n] = Math.max(of.oldestAgeMs[n] ?? 0, oldestAgeMs);
      }
  return Object.fromEntries(queues);
}

function sampledView(
  seen: readonly (readonly FleetSample[])[],
  steps: readonly number[],
  queue: string | undefined,
): SampledView {
  const points = seen.map((within): Point | undefined =>
    within.length === 0 ? undefined : mostOf(within.map((sample) => pointOf(sample, queue))),
  );
  const column = (field: keyof Point): readonly (number | null)[] =>
    points.map((point) => point?.[field] ?? null);
  return {
    at: steps,
    ...{ queued: column("queued"), running: column("running"), delayed: column("delayed") },
    ...{ blocked: column("blocked"), dead: column("dead"), oldestAgeMs: column("oldestAgeMs") },
    ...{ slots: column("slots"), used: column("used") },
  };
}

function pointOf({ queues, slots, used }: FleetSample, queue: string | undefined): Point {
  const own = queue === undefined ? Object.values(queues) : [queues[queue] ?? []].flat();
  const sum = (field: keyof FleetQueueSample): number =>
    own.reduce((total, of) => total + of[field], 0);
  return {
    ...{ queued: sum("queued"), running: sum("running"), delayed: sum("delayed") },
    ...{ blocked: sum("blocked"), dead: sum("dead"), slots, used },
    oldestAgeMs: own.reduce((most, of) => Math.max(most, of.oldestAgeMs), 0),
  };
}

function mostOf(points: readonly Point[]): Point {
  const most = (field: keyof Point): number => Math.max(...points.map((point) => point[field]));
  return {
    ...{ queued: most("queued"), running: most("running"), delayed: most("delayed") },
    ...{ blocked: most("blocked"), dead: most("dead"), oldestAgeMs: most("oldestAgeMs") },
    ...{ slots: most("slots"), used: most("used") },
  };
}
