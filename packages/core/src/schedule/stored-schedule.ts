import { isDeepStrictEqual } from "node:util";
import { MillraceError } from "../errors/millrace-error.ts";
import type { ScheduleDefinition } from "./schedule.ts";
import { scheduleDefinition, type ScheduleFields } from "./schedule-definition.ts";

/** Bucket of documents: what is to be enqueued and when. Key: the schedule's name. */
export const SCHEDULES = "schedules";
/**
 * Bucket of documents: when nodes that have the schedule in their code were last started. Key: the
 * schedule's name.
 */
export const SCHEDULES_SEEN = "schedules-seen";

/** Who added a schedule: a node's code, or a client (the command line is one). */
export type ScheduleOrigin = "code" | "client";

/**
 * A schedule as it is stored. Written by nodes at their start and by clients, always by
 * compare-and-set.
 */
export interface StoredSchedule extends ScheduleDefinition {
  readonly origin: ScheduleOrigin;
  /**
   * When these times came into force: nothing that was due before is made up for. Epoch
   * milliseconds.
   */
  readonly since: number;
}

/**
 * What to store for a definition.
 *
 * @param stored what is there now
 * @returns undefined where that says the same already
 */
export function upsert(
  definition: ScheduleDefinition,
  origin: ScheduleOrigin,
  stored: StoredSchedule | undefined,
  now: number,
): StoredSchedule | undefined {
  if (stored === undefined) return { ...definition, origin, since: now };
  const sameTimes = stored.cron === definition.cron && stored.timezone === definition.timezone;
  const next = { ...definition, origin, since: sameTimes ? stored.since : now };
  return isDeepStrictEqual(next, stored) ? undefined : next;
}

/**
 * A document of the bucket, which anybody may have written.
 *
 * @throws MillraceError `invalid-schedule` and its kin
 */
export function readStoredSchedule(key: string, value: unknown): StoredSchedule {
  if (typeof value !== "object" || value === null)
    throw new MillraceError("invalid-schedule", `The stored schedule ${key} is no object.`);
  const fields = value as Partial<StoredSchedule>;
  const definition = scheduleDefinition({
    ...(fields as ScheduleFields),
    name: key,
    ...(fields.jitterMs === undefined ? {} : { jitter: fields.jitterMs }),
    ...(fields.lateAfterMs === undefined ? {} : { lateAfter: fields.lateAfterMs }),
  });
  const { origin, since } = fields;
  return {
    ...definition,
    origin: origin === "code" ? "code" : "client",
    since: typeof since === "number" && Number.isFinite(since) ? since : 0,
  };
}
