import { randomUUID } from "node:crypto";
import {
  defined,
  type Envelope,
  type RecordedError,
  type RecordedFields,
  type SettledExecution,
  traceIdOf,
} from "@millrace/core";
import { createMask, type Mask } from "../masking/create-mask.ts";
import { UNREADABLE } from "../masking/foreign-object.ts";
import { boundedValue, flatText, type Room } from "./bounded-value.ts";
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
const TAG_CHARS = 8;
/** They take up to 1,024 bytes of JSON, which are fewer than their values are taken for. */
const MAX_FIELD_CHARS = 8_192;

export function draftRecord(
  execution: SettledExecution,
  envelope: Envelope,
  traceId: string | undefined,
  { maxValueChars, mask }: RecordShape,
): RecordDraft {
  const rooms = { payload: { left: maxValueChars }, output: { left: maxValueChars } };
  const base = baseOf(execution, envelope, traceId);
  let unmasked: Unmasked | undefined = {
    payload: bounded(envelope.payload, rooms.payload),
    output: bounded(execution.output, rooms.output),
    error: execution.error === undefined ? undefined : flatError(execution.error),
    reason: execution.reason === undefined ? undefined : flatText(execution.reason),
    tags: envelope.tags?.map(flatText),
  };
  const valueChars = 2 * maxValueChars - rooms.payload.left - rooms.output.left;
  let made: ExecutionRecord | undefined;
  return {
    chars: BASE_CHARS + valueChars + textChars(unmasked),
    record() {
      if (unmasked !== undefined) made = { ...base, ...shown(unmasked, mask) };
      // Or both would wait for a handler that is slow.
      unmasked = undefined;
      return made as ExecutionRecord;
    },
  };
}

/** What a job's people wrote. */
interface Unmasked {
  readonly payload: unknown;
  readonly output: unknown;
  readonly error: RecordedError | undefined;
  readonly reason: string | undefined;
  readonly tags: readonly string[] | undefined;
}

function textChars({ error, reason = "", tags = [] }: Unmasked): number {
  return (
    reason.length +
    tags.reduce((sum, tag) => sum + tag.length + TAG_CHARS, 0) +
    (error === undefined ? 0 : JSON.stringify(error).length)
  );
}

function shown(
  { payload, output, error, reason, tags }: Unmasked,
  mask: Mask,
): Partial<ExecutionRecord> {
  return defined({
    reason: reason === undefined ? undefined : maskedText(reason, mask),
    tags: tags?.map((tag) => maskedText(tag, mask)),
    error: error === undefined ? undefined : maskedError(error, mask),
    payload: payload === undefined ? undefined : masked(payload, mask),
    output: output === undefined ? undefined : masked(output, mask),
  });
}

function baseOf(
  execution: SettledExecution,
  envelope: Envelope,
  traceId: string | undefined,
): ExecutionRecord {
  const { id, name, queue, node, state, outcome, at } = execution;
  const { startedAt, durationMs, notBefore, parent } = execution;
  const trace = traceId ?? traceIdOf(envelope.headers);
  return {
    recordId: randomUUID(),
    // Parts of a message's text, as it was read.
    id: flatText(id),
    name: flatText(name),
    queue: flatText(queue),
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
    ...(trace === undefined ? {} : { traceId: flatText(trace) }),
    ...(parent === undefined
      ? {}
      : { parent: { id: flatText(parent.id), queue: flatText(parent.queue) } }),
  };
}

/** Its message may be a part of a page that a server sent. */
function flatError({ type, message, stack, fields }: RecordedError): RecordedError {
  return {
    type: flatText(type),
    message: flatText(message),
    ...(stack === undefined ? {} : { stack: flatText(stack) }),
    // They are bounded where they are recorded.
    ...(fields === undefined ? {} : { fields: flatFields(fields) }),
  };
}

function flatFields(fields: RecordedFields): RecordedFields {
  const flat = bounded(fields, { left: MAX_FIELD_CHARS });
  return typeof flat === "object" && flat !== null ? (flat as RecordedFields) : {};
}

function bounded(value: unknown, room: Room): unknown {
  if (value === undefined || room.left === 0) return undefined;
  return orUnreadable(() => boundedValue(value, room));
}

function maskedError(error: RecordedError, mask: Mask): RecordedError {
  const shown = orUnreadable(() => mask.error(error));
  return shown === UNREADABLE ? { type: UNREADABLE, message: UNREADABLE } : shown;
}

function maskedText(text: string, mask: Mask): string {
  return orUnreadable(() => mask.text(text));
}

function masked(value: unknown, mask: Mask): unknown {
  return orUnreadable(() => mask(value));
}

/** Our mask never throws; one from code may, and so may what a handler's own value is made of. */
function orUnreadable<T>(read: () => T): T | typeof UNREADABLE {
  try {
    return read();
  } catch {
    return UNREADABLE;
  }
}
