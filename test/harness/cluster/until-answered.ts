import { setTimeout as pause } from "node:timers/promises";
import { MillraceError } from "@millrace/core";

/** What an election may make of a call: nobody knows whether it was carried out. */
const PASSING = ["publish-timeout", "request-timeout", "broker-unavailable"] as const;
const ANSWERED_MS = 120_000;

/** Calls again as a careful caller does: what is sent under one id is taken once. */
export async function untilAnswered<Result>(call: () => Promise<Result>): Promise<Result> {
  const deadline = performance.now() + ANSWERED_MS;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const isPassing = PASSING.some((code) => MillraceError.is(error, code));
      if (!isPassing || performance.now() > deadline) throw error;
      await pause(100);
    }
  }
}
