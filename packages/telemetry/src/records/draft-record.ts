import { randomUUID } from "node:crypto";
import {
  type Envelope,
  type RecordedError,
  type SettledExecution,
  traceIdOf,
} from "@millrace/core";
import { createMask, type Mask } from "../masking/create-mask.ts";
import { boundedValue, type Room } from "./bounded-value.ts";
import type { ExecutionRecord } from "./execution-record.ts";

export interface RecordShape {
  /** Of payload and output each, in characters of JSON; 0 leaves them out. */
  readonly maxValueChars: number;
  readonly mask: Mask;
}

export const DEFAULT_SHAPE: RecordShape = { maxValueChars: 4_096, mask: createMask() };

/**
 * Whether an execution is recorded: an attempt that was made, or the end of a job. A job that was
 * only moved on is neither.
 */
export function isRecorded({ state, startedAt }: SettledExecution): boolean {
  return startedAt !== undefined || state !== "requeued";
}

/**
 * A record that is not masked yet. It holds copies only: the handler's values may change
 * afterwards.
 */
export interface RecordDraft {
  /** What it takes in memory, in characters, roughly. */
  readonly chars: number;
  /**
   * The record. Masking is most of what a record costs, so it is done once, by who needs it first,
   * and not while a job waits.
   */
  record(): ExecutionRecord;
}

/** What a record takes beside its values. */
const BASE_CHARS = 500;

export function draftRecord(
  execution: SettledExecution,
  envelope: Envelope,
  traceId: string | undefined,
  { maxValueChars, mask }: RecordShape,
): RecordDraft {
  const rooms = { payload: { left: maxValueChars }, output: { left: maxValueChars } };
  const payload = bounded(envelope.payload, rooms.payload);
  const output = bounded(execution.output, rooms.output);
  const { error } = execution;
  const base = baseOf(execution, envelope, traceId);
  const errorChars = error === undefined ? 0 : error.message.length + (error.stack?.length ?? 0);
  let made: ExecutionRecord | undefined;
  return {
    chars: BASE_CHARS + errorChars + 2 * maxValueChars - rooms.payload.left - rooms.output.left,
    record: () =>
      (made ??= {
        ...base,
        ...(error === undefined ? {} : { error: maskedError(error, mask) }),
        ...(payload === undefined ? {} : { payload: masked(payload, mask) }),
        ...(output === undefined ? {} : { output: masked(output, mask) }),
      }),
  };
}

function baseOf(
  execution: SettledExecution,
  envelope: Envelope,
  traceId: string | undefined,
): ExecutionRecord {
  const { id, name, queue, node, state, outcome, at } = execution;
  const { startedAt, durationMs, notBefore, reason, parent } = execution;
  const trace = traceId ?? traceIdOf(envelope.headers);
  return {
    recordId: randomUUID(),
    id,
    name,
    queue,
    attempt: envelope.attempts + 1,
    ...(envelope.maxAttempts === undefined ? {} : { maxAttempts: envelope.maxAttempts }),
    node,
    state,
    outcome,
    createdAt: envelope.createdAt,
    ...(startedAt === undefined ? {} : { startedAt }),
    at,
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(state === "requeued" ? { retryDelayMs: Math.max(0, (notBefore ?? at) - at) } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(trace === undefined ? {} : { traceId: trace }),
    ...(parent === undefined ? {} : { parent }),
    ...(envelope.tags === undefined ? {} : { tags: envelope.tags }),
  };
}

const UNREADABLE = "(unreadable)";

function bounded(value: unknown, room: Room): unknown {
  if (value === undefined || room.left === 0) return undefined;
  try {
    return boundedValue(value, room);
  } catch {
    // A getter or a trap of the handler's own value threw.
    return UNREADABLE;
  }
}

function maskedError(error: RecordedError, mask: Mask): RecordedError {
  try {
    return mask.error(error);
  } catch {
    return { type: UNREADABLE, message: UNREADABLE };
  }
}

function masked(value: unknown, mask: Mask): unknown {
  try {
    return mask(value);
  } catch {
    // Ours never throws; one from code may.
    return UNREADABLE;
  }
}
