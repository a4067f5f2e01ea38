import { type Duration, toMs } from "../time/duration.ts";
import { hasBrand } from "../errors/brand.ts";
import { cancelReason } from "../control/cancellation.ts";
import { MillraceError } from "../errors/millrace-error.ts";

const BRAND = Symbol.for("millrace.outcome-signal");

/** What a handler asks for instead of a plain result or failure. */
export type HandlerWish =
  | { readonly kind: "retry-after"; readonly delayMs: number; readonly cause: unknown }
  | { readonly kind: "snooze"; readonly delayMs: number }
  | { readonly kind: "fatal"; readonly cause: unknown }
  | { readonly kind: "cancel"; readonly reason: string };

let onMade: ((signal: OutcomeSignal) => void) | undefined;

/** Calls for each signal that is made in this process from now on. The latest listener counts. */
export function watchOutcomeSignals(listener: (signal: OutcomeSignal) => void): void {
  onMade = listener;
}

/**
 * Carries a wish out of a handler, returned or thrown. An `Error`, so that throwing it keeps
 * linters and debuggers content; branded, so that a second copy of this package recognises it.
 */
export class OutcomeSignal extends Error {
  readonly wish: HandlerWish;
  readonly [BRAND] = true;

  constructor(wish: HandlerWish, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "OutcomeSignal";
    this.wish = wish;
    onMade?.(this);
  }

  static is(value: unknown): value is OutcomeSignal {
    return hasBrand(value, BRAND);
  }
}

/**
 * The attempt failed; the next one, if the policy allows another, comes after this delay instead of
 * the policy's.
 */
export function retryAfter(
  delay: Duration,
  cause: unknown = "the handler asked for a retry",
): OutcomeSignal {
  return new OutcomeSignal(
    { kind: "retry-after", delayMs: toMs(delay, "retryAfter()"), cause },
    `retry after ${delay}`,
    { cause },
  );
}

/** Run the job again after this delay; no attempt is spent. */
export function snooze(delay: Duration): OutcomeSignal {
  return new OutcomeSignal(
    { kind: "snooze", delayMs: toMs(delay, "snooze()") },
    `snooze for ${delay}`,
  );
}

/**
 * The attempt failed and the job must not be tried again: it becomes a dead letter with reason
 * `fatal`.
 */
export function fatal(cause: unknown): OutcomeSignal {
  const error = typeof cause === "string" ? new MillraceError("fatal", cause) : cause;
  return new OutcomeSignal({ kind: "fatal", cause: error }, "fatal", { cause: error });
}

/**
 * The job is no longer wanted: it ends as cancelled, with no further attempt and no dead letter. Of
 * a reason the first 1,000 characters are kept.
 */
export function cancel(reason: string): OutcomeSignal {
  const kept = cancelReason(reason);
  return new OutcomeSignal({ kind: "cancel", reason: kept }, `cancelled: ${kept}`);
}
