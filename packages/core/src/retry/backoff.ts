import { shownValue } from "../options/option-values.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { optionNames, refuseUnknown } from "../options/known-options.ts";
import { type Duration, toMs } from "../time/duration.ts";
import type { RetryPolicy, RetryQuestion } from "./retry-policy.ts";

/**
 * A retry policy as users write it.
 *
 * - `none`: the next attempt comes at once.
 * - `fixed`: always `base`.
 * - `exponential`: `base · factor^(n-1)` after the n-th failure.
 * - `polynomial`: `base · n^degree`.
 * - a function: whatever it returns, or `"never"` to give up.
 *
 * `max` caps every kind. `jitter` spreads the delay evenly over ± that share of it; `true` means
 * 0.25.
 *
 * @example { attempts: 5, backoff: "exponential", base: "1s", max: "5m", jitter: true }
 */
export interface RetryOptions {
  readonly attempts?: number;
  readonly backoff?:
    | "none"
    | "fixed"
    | "exponential"
    | "polynomial"
    | ((question: RetryQuestion) => Duration | "never");
  readonly base?: Duration;
  readonly factor?: number;
  readonly degree?: number;
  readonly max?: Duration;
  readonly jitter?: boolean | number;
}

const NAMES = optionNames<RetryOptions>({
  ...{ attempts: true, backoff: true, base: true, factor: true },
  ...{ degree: true, max: true, jitter: true },
});

export const DEFAULT_RETRY = {
  attempts: 5,
  backoff: "exponential",
  base: "1s",
  factor: 2,
  degree: 4,
  max: "5m",
  jitter: true,
} as const;

/** One attempt, whatever happens. */
export const NO_RETRY: RetryPolicy = { attempts: 1, delayMs: () => "never" };

/**
 * The policy that the options describe.
 *
 * @throws MillraceError `invalid-option`, `invalid-duration`
 */
export function retryPolicy(options: RetryOptions | "none" = {}): RetryPolicy {
  if (options === "none") return NO_RETRY;
  refuseUnknown(options, NAMES, "a retry policy", "retry");
  const attempts = wholeFrom1(options.attempts ?? DEFAULT_RETRY.attempts, "retry.attempts");
  const maxMs = toMs(options.max ?? DEFAULT_RETRY.max, "retry.max");
  const jitter = jitterShare(options.jitter ?? DEFAULT_RETRY.jitter);
  const rawDelayMs = curve(options);
  return {
    attempts,
    delayMs: (question) => {
      const raw = rawDelayMs(question);
      return raw === "never" ? raw : spread(Math.min(raw, maxMs), jitter, question.random, maxMs);
    },
  };
}

function curve(options: RetryOptions): (question: RetryQuestion) => number | "never" {
  const { backoff = DEFAULT_RETRY.backoff } = options;
  if (typeof backoff === "function") {
    return (question) => {
      const answer = backoff(question);
      return answer === "never" ? answer : toMs(answer, "retry.backoff()");
    };
  }
  const baseMs = toMs(options.base ?? DEFAULT_RETRY.base, "retry.base");
  const factor = atLeast1(options.factor ?? DEFAULT_RETRY.factor, "retry.factor");
  const degree = atLeast1(options.degree ?? DEFAULT_RETRY.degree, "retry.degree");
  switch (backoff) {
    case "none":
      return () => 0;
    case "fixed":
      return () => baseMs;
    case "exponential":
      return ({ attempts }) => grown(baseMs, factor ** (attempts - 1));
    case "polynomial":
      return ({ attempts }) => grown(baseMs, attempts ** degree);
    default:
      throw new MillraceError(
        "invalid-option",
        `retry.backoff: ${shownValue(backoff)} is none of "none", "fixed", "exponential", "polynomial" or a function.`,
      );
  }
}

/** No base stays none, also where the growth overflows: 0 · Infinity would be no number. */
function grown(baseMs: number, growth: number): number {
  return baseMs === 0 ? 0 : baseMs * growth;
}

/** Even over ± share, and never above the cap. An overflow to Infinity was capped before. */
function spread(delayMs: number, share: number, random: number, maxMs: number): number {
  return Math.min(Math.round(delayMs * (1 + share * (2 * random - 1))), maxMs);
}

function jitterShare(jitter: boolean | number): number {
  if (typeof jitter === "boolean") return jitter ? 0.25 : 0;
  if (Number.isFinite(jitter) && jitter >= 0 && jitter <= 1) return jitter;
  throw new MillraceError("invalid-option", `retry.jitter: ${jitter} is no share between 0 and 1.`);
}

function wholeFrom1(value: number, field: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new MillraceError("invalid-option", `${field}: ${value} is no whole number from 1.`);
}

function atLeast1(value: number, field: string): number {
  if (Number.isFinite(value) && value >= 1) return value;
  throw new MillraceError("invalid-option", `${field}: ${value} is no number from 1.`);
}
