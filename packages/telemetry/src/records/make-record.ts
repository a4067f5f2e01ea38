import { randomUUID } from "node:crypto";
import type { Envelope, RecordedError, SettledExecution } from "@millrace/core";
import { mask } from "../masking/mask.ts";
import { boundedValue } from "./bounded-value.ts";
import type { ExecutionRecord } from "./execution-record.ts";

export interface RecordShape {
  /** Of payload and output each, in characters of JSON; 0 leaves them out. */
  readonly maxValueChars: number;
  readonly mask: (value: unknown) => unknown;
}

export const DEFAULT_SHAPE: RecordShape = { maxValueChars: 4_096, mask };

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
    ...(error === undefined ? {} : { error: maskedError(error, masked) }),
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

export function maskedError(
  { type, message, stack }: RecordedError,
  masked: RecordShape["mask"],
): RecordedError {
  const text = (value: string): string => {
    const safe = masked(value.toWellFormed());
    return typeof safe === "string" ? safe : "***";
  };
  return {
    type,
    message: text(message),
    ...(stack === undefined ? {} : { stack: text(stack) }),
  };
}

/** The trace of whoever enqueued the job. Any client may write the header, in any case. */
function traceIdOf(headers: Envelope["headers"]): string | undefined {
  for (const [name, value] of Object.entries(headers)) {
    if (name.toLowerCase() !== "traceparent") continue;
    const id = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/i.exec(value.trim())?.[1];
    if (id !== undefined && !/^0+$/.test(id)) return id.toLowerCase();
  }
  return undefined;
}
