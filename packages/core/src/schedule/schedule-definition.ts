import { shownValue } from "../options/option-values.ts";
import { isId, requireJobName, requireQueueName } from "../ids/names.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { type Duration, toMs } from "../time/duration.ts";
import { plainJson } from "./plain-json.ts";
import {
  type MissedPolicy,
  OVERLAP_POLICIES,
  type OverlapPolicy,
  type ScheduleDefinition,
  type ScheduleTiming,
} from "./schedule.ts";
import { nextTicks } from "./ticks.ts";
import { Zone } from "./zone.ts";

/**
 * A schedule that names its job, for where the job's definition is not at hand: on the command
 * line, in another language.
 */
export interface ScheduleFields extends ScheduleTiming {
  /** The handler key. */
  readonly job: string;
  readonly queue: string;
  /** Plain JSON. */
  readonly payload?: unknown;
}

const LONGEST_NAME = 64;
/** More would flood a queue with jobs of the past, and each is a line in the schedule's state. */
const MOST_MISSED = 1_000;
const DEFAULT_LATE_AFTER: Duration = "5s";

/**
 * Fields with their defaults, checked.
 *
 * @throws MillraceError `invalid-schedule`, `invalid-name`, `invalid-duration`, naming the field
 */
export function scheduleDefinition(fields: ScheduleFields): ScheduleDefinition {
  const name = requireScheduleName(fields.name);
  const rule = { cron: fields.cron, timezone: Zone.of(fields.timezone ?? "UTC").name };
  if (nextTicks(rule, 0, 1).length === 0)
    throw new MillraceError("invalid-schedule", `cron: ${JSON.stringify(rule.cron)} is never due.`);
  return Object.freeze({
    name,
    cron: rule.cron.trim(),
    timezone: rule.timezone,
    job: requireJobName(fields.job),
    queue: requireQueueName(fields.queue),
    payload: plainJson(fields.payload === undefined ? null : fields.payload, "input"),
    jitterMs: toMs(fields.jitter ?? 0, "jitter"),
    missed: missedPolicy(fields.missed ?? "once"),
    overlap: overlapPolicy(fields.overlap ?? "allow"),
    lateAfterMs: atLeast1Ms(toMs(fields.lateAfter ?? DEFAULT_LATE_AFTER, "lateAfter")),
  });
}

/** @throws MillraceError `invalid-name` */
export function requireScheduleName(name: unknown): string {
  if (isId(name) && name.length <= LONGEST_NAME) return name;
  throw new MillraceError(
    "invalid-name",
    `A schedule's name is made of up to ${LONGEST_NAME} of A-Z a-z 0-9 _ : -; got ${typeof name === "string" ? JSON.stringify(name.slice(0, 140)) : typeof name}.`,
  );
}

function missedPolicy(missed: MissedPolicy): MissedPolicy {
  if (missed === "skip" || missed === "once") return missed;
  const all: unknown = typeof missed === "object" && missed !== null ? missed.all : undefined;
  if (Number.isSafeInteger(all) && Number(all) >= 1 && Number(all) <= MOST_MISSED)
    return { all: Number(all) };
  throw new MillraceError(
    "invalid-schedule",
    `missed: must be "skip", "once" or { all: n } with n from 1 to ${MOST_MISSED}; got ${shownValue(missed)}.`,
  );
}

function overlapPolicy(overlap: OverlapPolicy): OverlapPolicy {
  if (OVERLAP_POLICIES.includes(overlap)) return overlap;
  throw new MillraceError(
    "invalid-schedule",
    `overlap: must be one of ${OVERLAP_POLICIES.map((word) => `"${word}"`).join(", ")}; got ${shownValue(overlap)}.`,
  );
}

function atLeast1Ms(ms: number): number {
  if (ms >= 1) return ms;
  throw new MillraceError("invalid-schedule", "lateAfter: must be at least 1ms.");
}
