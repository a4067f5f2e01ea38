import { randomUUID } from "node:crypto";
import { type Envelope, type SettledExecution, traceIdOf } from "@millrace/core";
import { createMask, type Mask } from "../masking/create-mask.ts";
import { boundedValue } from "./bounded-value.ts";
import type { ExecutionRecord } from "./execution-record.ts";

export interface RecordShape {
  /** Of payload and output each, in characters of JSON; 0 leaves them out. */
  readonly maxValueChars: number;
  readonly mask: Mask;
}

export const DEFAULT_SHAPE: RecordShape = { maxValueChars: 4_096, mask: createMask() };

/** Whether an execution is recorded: an attempt that was made, or the end of a job. A job that was only moved on is neither. */
export function isRecorded({ state, startedAt }: SettledExecution): boolean {
  return startedAt !== undefined || state !== "requeued";
}

/** A record, made at once: the handler's values may change afterwards. */
export function makeRecord(
  execution: SettledExecution,
  envelope: Envelope,
  traceId: string | undefined,
  { maxValueChars, mask: masked }: RecordShape,
): ExecutionRecord {
  const { startedAt, durationMs, notBefore, reason, error, parent } = execution;
  const trace = traceId ?? traceIdOf(envelope.headers);
  const payload = shown(envelope.payload);
  const output = shown(execution.output);
  return {
    recordId: randomUUID(),
    id: execution.id,
    name: execution.name,
    queue: execution.queue,
    attempt: envelope.attempts + 1,
    ...(envelope.maxAttempts === undefined ? {} : { maxAttempts: envelope.maxAttempts }),
    node: execution.node,
    state: execution.state,
    outcome: execution.outcome,
    createdAt: envelope.createdAt,
    ...(startedAt === undefined ? {} : { startedAt }),
    at: execution.at,
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(execution.state === "requeued"
      ? { retryDelayMs: Math.max(0, (notBefore ?? execution.at) - execution.at) }
      : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(error === undefined ? {} : { error: masked.error(error) }),
    ...(trace === undefined ? {} : { traceId: trace }),
    ...(parent === undefined ? {} : { parent }),
    ...(envelope.tags === undefined ? {} : { tags: envelope.tags }),
    ...(payload === undefined ? {} : { payload }),
    ...(output === undefined ? {} : { output }),
  };

  function shown(value: unknown): unknown {
    if (value === undefined || maxValueChars === 0) return undefined;
    try {
      return masked(boundedValue(value, maxValueChars));
    } catch {
      // A getter or a trap of the handler's own value threw.
      return "(unreadable)";
    }
  }
}
