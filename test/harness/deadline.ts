import { setTimeout as sleep } from "node:timers/promises";
import { patient } from "./cluster/mode.ts";

export interface EventuallyOptions {
  readonly withinMs: number;
  /** What was waited for, as the failure says it; a function may report what was there instead. */
  readonly describe: string | (() => string);
  /** Default 20. */
  readonly everyMs?: number;
}

/**
 * An array is truthy, also an empty one: a look that returns nothing else would wait for nothing.
 */
type Waits<T> = [T] extends [never] ? unknown : T extends readonly unknown[] ? never : unknown;

/**
 * Calls `look` until it returns something truthy, and returns that. For state that sends no signal:
 * where there is a signal, wait for the signal with `within`. An error of `look` counts as "not
 * yet" and is the failure's cause.
 */
export async function eventually<T>(
  look: () => Promise<T> | T,
  options: EventuallyOptions & Waits<T>,
): Promise<NonNullable<T>> {
  const { describe, everyMs = 20 } = options;
  const withinMs = patient(options.withinMs);
  const startedAt = performance.now();
  let last: { readonly error: unknown } | { readonly value: unknown } = { value: undefined };
  for (let looks = 1; ; looks += 1) {
    try {
      const value = await look();
      if (value) return value;
      last = { value };
    } catch (error) {
      last = { error };
    }
    if (performance.now() - startedAt >= withinMs) {
      const what = typeof describe === "string" ? describe : describe();
      const seen =
        "error" in last
          ? `the last look threw ${String(last.error)}`
          : `the last look saw ${String(last.value)}`;
      throw new Error(`not within ${withinMs} ms (${looks} looks): ${what}; ${seen}`, {
        cause: "error" in last ? last.error : undefined,
      });
    }
    await sleep(everyMs);
  }
}

/** The promise's value, or a failure that says what did not come within the deadline. */
export async function within<T>(
  promise: Promise<T>,
  deadlineMs: number,
  what: string | (() => string),
): Promise<T> {
  const withinMs = patient(deadlineMs);
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`not within ${withinMs} ms: ${typeof what === "string" ? what : what()}`));
    }, withinMs);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
