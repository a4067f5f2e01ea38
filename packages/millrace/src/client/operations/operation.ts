import type { AuditOutcome, ErrorCode } from "@millrace/core";
import type { AuditValue } from "../audit.ts";

/**
 * What is done to each of many things. Kinds that end in `-undo` take another operation back. A
 * reschedule is taken back by another reschedule.
 */
export type OperationKind =
  | ("dead-retry" | "dead-discard" | "jobs-cancel" | "jobs-reschedule")
  | ("retry-undo" | "discard-undo" | "cancel-undo");

/**
 * `stopping`: what has begun is finished, the rest is left. `failed`: it met a defect, or the
 * server has no room left; what is left stays as it is.
 */
export type OperationProgress =
  | { readonly state: "running" }
  | { readonly state: "stopping"; readonly by: string; readonly at: number }
  | { readonly state: "done"; readonly at: number }
  | { readonly state: "stopped"; readonly by: string; readonly at: number }
  | { readonly state: "failed"; readonly at: number; readonly code: string };

/** One of the things that could not be changed, and why. */
export interface OperationFailure {
  readonly id: string;
  readonly queue: string;
  /** Of the job, where it was traced. */
  readonly traceId?: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** A change of many things, one after the other. Times are epoch milliseconds of the server. */
export interface Operation {
  /** Of its record in the audit, too. */
  readonly id: string;
  readonly kind: OperationKind;
  /** Which things were meant, in words. */
  readonly filter: Readonly<Record<string, AuditValue>>;
  /** Who asked for it. */
  readonly by: string;
  readonly reason?: string;
  readonly at: number;
  /** How many things were meant when it began. What came to fit later is left alone. */
  readonly total: number;
  /**
   * So many nodes did not answer when it was looked for these, where any did not: of what they had
   * in hand some may be left out, or have been taken for waiting.
   */
  readonly unanswered?: number;
  readonly done: number;
  /** What others had changed before it was their turn: retried, discarded, ended. */
  readonly gone: number;
  readonly failed: number;
  /** The first 20 of them. */
  readonly failures: readonly OperationFailure[];
  readonly progress: OperationProgress;
}

/** What became of one thing that differs from the rest: it was not changed. */
export type Exception =
  | { readonly what: "gone" }
  | { readonly what: "failed"; readonly code: ErrorCode; readonly message: string };

export type ItemOutcome = { readonly what: "done" } | Exception;

/** An operation as it is stored, with what is needed to go on with it. */
export interface StoredOperation extends Operation {
  /**
   * The token of the lock under which it was written last. A process with an older token writes no
   * more.
   */
  readonly token: number;
  /** So many things have been seen to, in the order of the plan. */
  readonly position: number;
  /** Things up to here may have been changed by somebody who died before saying so. */
  readonly begun: number;
  /** Of the page of the plan that is under way, by place in the page. */
  readonly exceptions: Readonly<Record<string, Exception>>;
}

const MOST_FAILURES = 20;

export function isOpen({ progress: { state } }: Pick<Operation, "progress">): boolean {
  return state === "running" || state === "stopping";
}

/** Says that things up to there are about to be changed. */
export function withBegun(operation: StoredOperation, until: number): StoredOperation {
  return { ...operation, begun: Math.max(operation.begun, until) };
}

/** One more was seen to. */
export function withOutcome(
  operation: StoredOperation,
  { id, queue, traceId }: Pick<OperationFailure, "id" | "queue" | "traceId">,
  outcome: ItemOutcome,
  place: number,
): StoredOperation {
  const next = { ...operation, position: operation.position + 1 };
  if (outcome.what === "done") return { ...next, done: next.done + 1 };
  const exceptions = { ...next.exceptions, [place]: outcome };
  if (outcome.what === "gone") return { ...next, gone: next.gone + 1, exceptions };
  const { code, message } = outcome;
  const failed = { id, queue, ...(traceId === undefined ? {} : { traceId }) };
  return {
    ...next,
    failed: next.failed + 1,
    exceptions,
    failures:
      next.failures.length < MOST_FAILURES
        ? [...next.failures, { ...failed, code, message }]
        : next.failures,
  };
}

/** Where all was seen to, or what was begun when it was to stop. */
export function withEnd(operation: StoredOperation, at: number): StoredOperation {
  const { progress, position, total } = operation;
  if (progress.state === "stopping" && position < total)
    return { ...operation, progress: { state: "stopped", by: progress.by, at } };
  return isOpen(operation) ? { ...operation, progress: { state: "done", at } } : operation;
}

/** What the audit is told of one that has ended without a defect. */
export function auditOutcomeOf({ progress, done, failed }: StoredOperation): AuditOutcome {
  const counted = { count: done, failed };
  return progress.state === "stopped"
    ? { state: "stopped", by: progress.by, ...counted }
    : { state: "done", ...counted };
}

/** Whether there is something left that it should see to. */
export function hasMore({ progress, position, begun, total }: StoredOperation): boolean {
  if (position >= total) return false;
  return progress.state === "running" || (progress.state === "stopping" && begun > position);
}

export function shownOperation(stored: StoredOperation): Operation {
  const { token: _token, position: _position, begun: _begun, exceptions: _, ...shown } = stored;
  return shown;
}

const KINDS: readonly string[] = [
  "dead-retry",
  "dead-discard",
  "jobs-cancel",
  "jobs-reschedule",
  "retry-undo",
  "discard-undo",
  "cancel-undo",
] satisfies OperationKind[];
const STATES: readonly string[] = [
  "running",
  "stopping",
  "done",
  "stopped",
  "failed",
] satisfies OperationProgress["state"][];

/** What another version or another program wrote there is left alone rather than gone on with. */
export function readOperation(value: unknown): StoredOperation | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const stored = value as Partial<StoredOperation>;
  const numbers = [stored.at, stored.total, stored.done, stored.gone, stored.failed].concat([
    stored.token,
    stored.position,
    stored.begun,
  ]);
  const isWhole =
    numbers.every((number) => typeof number === "number" && number >= 0) &&
    typeof stored.id === "string" &&
    typeof stored.by === "string" &&
    KINDS.includes(stored.kind ?? "") &&
    STATES.includes(stored.progress?.state ?? "") &&
    Array.isArray(stored.failures) &&
    typeof stored.filter === "object" &&
    typeof stored.exceptions === "object";
  return isWhole ? (stored as StoredOperation) : undefined;
}
