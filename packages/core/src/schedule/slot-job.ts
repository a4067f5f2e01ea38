import { createHash } from "node:crypto";
import { type Envelope, UNSETTLED } from "../envelope/envelope.ts";
import type { ScheduleDefinition } from "./schedule.ts";

const PREFIX = "cron:";
/** Headers of a job that a schedule enqueued. They travel with it through retries. */
const SLOT = "schedule-slot";
const TOKEN = "schedule-token";

/** Where a job came from. */
export interface SlotOrigin {
  readonly schedule: string;
  readonly slot: number;
  /** The leadership that published it. */
  readonly token: number;
}

/** The id of a slot's job, the same whoever enqueues it: `cron:nightly-report:20310501T010000Z`. */
export function slotJobId(schedule: string, slot: number): string {
  return `${PREFIX}${schedule}:${new Date(slot).toISOString().replace(/[-:]|\.\d+/g, "")}`;
}

/** The id of a run that somebody asked for, which is never a slot's. */
export function runJobId(schedule: string, newId: string): string {
  return `${PREFIX}${schedule}:run-${newId}`;
}

/**
 * How long after its slot a job may start, milliseconds: from 0 up to `jitterMs`, the same on every
 * node.
 */
export function jitterOf({ name, jitterMs }: ScheduleDefinition, slot: number): number {
  if (jitterMs === 0) return 0;
  const draw = createHash("sha256").update(`${name} ${slot}`).digest().readUInt32BE(0) / 2 ** 32;
  return Math.floor(draw * (jitterMs + 1));
}

export function slotJob(
  schedule: ScheduleDefinition,
  slot: number,
  token: number,
  now: number,
): Envelope {
  const startAt = slot + jitterOf(schedule, slot);
  return {
    ...envelope(schedule, slotJobId(schedule.name, slot), now),
    ...(startAt > now ? { notBefore: startAt } : {}),
    headers: { [SLOT]: new Date(slot).toISOString(), [TOKEN]: String(token) },
  };
}

export function runJob(schedule: ScheduleDefinition, newId: string, now: number): Envelope {
  return { ...envelope(schedule, runJobId(schedule.name, newId), now), headers: {} };
}

/**
 * What the headers say about a job's slot; undefined where it is no slot's job. Cheap, as it is
 * asked for every job.
 */
export function slotOriginOf({
  id,
  headers,
}: Pick<Envelope, "id" | "headers">): SlotOrigin | undefined {
  if (!id.startsWith(PREFIX)) return undefined;
  const slot = Date.parse(headers[SLOT] ?? "");
  const token = Number(headers[TOKEN]);
  if (Number.isNaN(slot) || !Number.isSafeInteger(token)) return undefined;
  return { schedule: id.slice(PREFIX.length, id.lastIndexOf(":")), slot, token };
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
