import { CronExpression } from "./cron-expression.ts";
import { Zone } from "./zone.ts";

/** When a schedule is due. */
export interface TickRule {
  /** 5 fields (minute hour day month weekday) or 6 (second first). */
  readonly cron: string;
  /** An IANA name. */
  readonly timezone: string;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** How far ahead a change of the clocks is looked for at once. */
const STRETCH_MS = 40 * DAY_MS;
/** No clock was ever moved by more, so what a change did to the readings is over by then. */
const LONGEST_CHANGE_MS = 2 * DAY_MS;
/** So many times what is asked for are walked through at once. */
const MANY_MORE = 4;
/** The last instant that a `Date` can tell is further than anybody plans. */
const END_OF_TIME_MS = Date.UTC(9_000, 0);

/**
 * The ticks of a rule after an instant, in their order, epoch milliseconds. Endless unless the
 * expression ends.
 *
 * If clocks are put forward, a time that they leave out runs once, at the moment of the change,
 * together with all others that were left out. Only an expression that names every hour does
 * without, as it has the next hour's run, unless less than an hour was left out. If clocks are put
 * back, a time that comes twice runs the first time only. An expression whose hours are `*` or `*`
 * with a step runs both times.
 */
export function* ticksAfter(rule: TickRule, after: number): Generator<number, void, undefined> {
  const cron = new CronExpression(rule.cron);
  const zone = Zone.of(rule.timezone);
  let at = after;
  let offset = zone.offsetAt(at);
  /** Readings below it have had their tick before the clocks were put back. */
  let floor = floorAt(zone, cron, at);
  let last = after;
  for (;;) {
    const change = zone.nextChange(at, at + STRETCH_MS);
    const until = change ?? at + STRETCH_MS;
    let wall = cron.firstFrom(Math.max(at + offset, floor));
    for (; wall !== undefined && wall < until + offset; wall = cron.next()) {
      const tick = wall - offset;
      if (tick > last) yield (last = tick);
    }
    if (wall === undefined || wall > END_OF_TIME_MS) return;
    at = until;
    if (change !== undefined) {
      const changed = zone.offsetAt(change);
      // The first reading that had no room before the change lies among those that the clocks leave
      // out.
      const leftOut = wall < change + changed && takesUpLeftOut(cron, changed - offset);
      if (leftOut && change > last) yield (last = change);
      floor = floorAfter(cron, change, offset, changed);
      offset = changed;
    } else if (wall - offset - LONGEST_CHANGE_MS > at) {
      // Nothing is due for long: on from shortly before the next reading.
      at = wall - offset - LONGEST_CHANGE_MS;
      offset = zone.offsetAt(at);
      floor = Number.NEGATIVE_INFINITY;
    }
  }
}

/**
 * The next ticks of a rule.
 *
 * @example
 * nextTicks({ cron: "0 9 * * 1-5", timezone: "Europe/Berlin" }, Date.now(), 3)
 */
export function nextTicks(rule: TickRule, after: number, count: number): readonly number[] {
  const ticks: number[] = [];
  if (count < 1) return ticks;
  for (const tick of ticksAfter(rule, after)) if (ticks.push(tick) >= count) break;
  return ticks;
}

/**
 * The latest `limit` ticks after `from` and up to `until`, in their order. Its work follows
 * `limit`, not the length of the time.
 */
export function ticksBetween(
  rule: TickRule,
  from: number,
  until: number,
  limit: number,
): readonly number[] {
  if (limit < 1 || until <= from) return [];
  const [first, second = Number.POSITIVE_INFINITY] = nextTicks(rule, from, 2);
  if (first === undefined || first > until) return [];
  const lengthMs = (second - first) * (limit + 1);
  const begin = lengthMs < until - from ? until - lengthMs : from;
  const latest = latestIn(rule, begin, until, limit);
  if (begin === from || latest.length >= limit) return latest;
  return [...latestIn(rule, from, begin, limit - latest.length), ...latest];
}

/** A stretch that has many more than are asked for is halved: the later half may have enough. */
function latestIn(rule: TickRule, from: number, until: number, limit: number): readonly number[] {
  const ticks: number[] = [];
  for (const tick of ticksAfter(rule, from)) {
    if (tick > until) return ticks.slice(-limit);
    if (ticks.push(tick) > MANY_MORE * limit && until - from > 1) {
      const middle = Math.floor((from + until) / 2);
      const later = latestIn(rule, middle, until, limit);
      if (later.length >= limit) return later;
      return [...latestIn(rule, from, middle, limit - later.length), ...later];
    }
  }
  return ticks.slice(-limit);
}

function takesUpLeftOut(cron: CronExpression, leftOutMs: number): boolean {
  return !(cron.everyHour && leftOutMs >= HOUR_MS);
}

function floorAfter(cron: CronExpression, change: number, before: number, after: number): number {
  return after < before && !cron.isInterval ? change + before : Number.NEGATIVE_INFINITY;
}

/** As if the walk had come from before a change that lies shortly back. */
function floorAt(zone: Zone, cron: CronExpression, at: number): number {
  const from = at - LONGEST_CHANGE_MS;
  const change = zone.nextChange(from, at);
  return change === undefined
    ? Number.NEGATIVE_INFINITY
    : floorAfter(cron, change, zone.offsetAt(from), zone.offsetAt(change));
}
