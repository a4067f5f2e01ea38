import { MillraceError } from "../errors.ts";

/** The codes of what a subscription reports and goes on from. */
export type PullProblem = "broker-unavailable" | "broker-rejected" | "consumer-not-found";

export function pullProblem(
  { stream, consumer }: { readonly stream: string; readonly consumer: string },
  code: PullProblem,
  what: string,
  cause?: unknown,
): MillraceError {
  return new MillraceError(code, `Consumer ${consumer} of stream ${stream} ${what}`, { cause });
}
