import { createHash } from "node:crypto";
import { type Envelope, UNSETTLED } from "../envelope/envelope.ts";
import type { ScheduleDefinition } from "./schedule.ts";

const PREFIX = "cron:";
/** Headers of a job that a schedule enqueued. They travel with it through retries. */
const TICK = "schedule-tick";
const TOKEN = "schedule-token";

/** Where a job came from. */
export interface TickOrigin {
  readonly schedule: string;
  readonly tick: number;
  /** The leadership that published it. */
  readonly token: number;
}

/** The id of a tick's job, the same whoever enqueues it: `cron:nightly-report:20310501T010000Z`. */
export function tickJobId(schedule: string, tick: number): string {
  return `${PREFIX}${schedule}:${new Date(tick).toISOString().replace(/[-:]|\.\d+/g, "")}`;
}

/** The id of a run that somebody asked for, which is never a tick's. */
export function runJobId(schedule: string, newId: string): string {
  return `${PREFIX}${schedule}:run-${newId}`;
}

/**
 * How long after its tick a job may start, milliseconds: from 0 up to `jitterMs`, the same on every
 * node.
 */
export function jitterOf({ name, jitterMs }: ScheduleDefinition, tick: number): number {
  if (jitterMs === 0) return 0;
  const draw = createHash("sha256").update(`${name} ${tick}`).digest().readUInt32BE(0) / 2 ** 32;
  return Math.floor(draw * (jitterMs + 1));
}

export function tickJob(
  schedule: ScheduleDefinition,
  tick: number,
  token: number,
  now: number,
): Envelope {
  const startAt = tick + jitterOf(schedule, tick);
  return {
    ...envelope(schedule, tickJobId(schedule.name, tick), now),
    ...(startAt > now ? { notBefore: startAt } : {}),
    headers: { [TICK]: new Date(tick).toISOString(), [TOKEN]: String(token) },
  };
}

export function runJob(schedule: ScheduleDefinition, newId: string, now: number): Envelope {
  return { ...envelope(schedule, runJobId(schedule.name, newId), now), headers: {} };
}

/**
 * What the headers say about a job's tick; undefined where it is no tick's job, or a producer only
 * says so. Cheap, as it is asked for every job.
 */
export function tickOriginOf({
  id,
  headers,
  sentFrom,
}: Pick<Envelope, "id" | "headers" | "sentFrom">): TickOrigin | undefined {
  if (!id.startsWith(PREFIX) || sentFrom !== undefined) return undefined;
  const tick = Date.parse(headers[TICK] ?? "");
  const token = Number(headers[TOKEN]);
  if (Number.isNaN(tick) || !Number.isSafeInteger(token)) return undefined;
  return { schedule: id.slice(PREFIX.length, id.lastIndexOf(":")), tick, token };
}

function envelope(
  { name, job, queue, payload }: ScheduleDefinition,
  id: string,
  now: number,
): Omit<Envelope, "headers"> {
  return {
    id,
    name: job,
    queue,
    payload,
    createdAt: now,
    tags: [`${PREFIX}${name}`],
    ...UNSETTLED,
  };
}
