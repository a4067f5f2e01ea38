import { type ErrorCode, MillraceError } from "@millrace/core";
import { maskText } from "@millrace/telemetry/masking";
import type { ItemOutcome } from "./operation.ts";
import type { PlanItem } from "./operation-plan.ts";

/** Things of a plan that are changed now. */
export interface ActStep {
  readonly items: readonly PlanItem[];
  /** The place of the first of them in the plan. */
  readonly from: number;
  /** Whether they may have been changed by somebody who died before saying so. */
  readonly inDoubt: boolean;
  /** Called right before anything is changed. @throws MillraceError `lock-lost` */
  requireHeld(this: void): void;
}

/** Changes things, some at a time. */
export interface Act {
  /**
   * @param next called after each, with what became of it; throws to end it
   * @throws MillraceError of a server that is away: then nobody knows of the one that was next
   */
  (step: ActStep, next: (outcome: ItemOutcome) => void): Promise<void>;
}

/** What says nothing of the thing itself: it is tried again. */
const AWAY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "broker-unavailable",
  "connection-closed",
  // Another is at it.
  "lock-lost",
  "publish-timeout",
  "request-timeout",
  "server-unreachable",
  "revision-conflict",
]);

/**
 * JetStream's own numbers for storage that is full: of the server, of the account, of its memory,
 * of the disk. The last one is a full queue's too, which is an error of its own and not asked here.
 */
const FULL: ReadonlySet<unknown> = new Set([10_002, 10_023, 10_028, 10_047, 10_077]);

/** Whether the server has no room left: what is tried again is refused again. */
export function isFull(error: unknown): error is MillraceError {
  if (!MillraceError.is(error) || error.code === "queue-full") return false;
  const { cause } = error;
  if (typeof cause !== "object" || cause === null) return false;
  return (
    ("errCode" in cause && FULL.has(cause.errCode)) || ("code" in cause && FULL.has(cause.code))
  );
}

/** Whether an error says nothing of the thing itself. */
export function isAway({ code }: MillraceError): boolean {
  return AWAY.has(code);
}

export async function outcomeOf(act: () => Promise<boolean>): Promise<ItemOutcome> {
  try {
    return { what: (await act()) ? "done" : "gone" };
  } catch (error) {
    if (!MillraceError.is(error) || isAway(error)) throw error;
    return { what: "failed", code: error.code, message: maskText(error.message).slice(0, 300) };
  }
}
