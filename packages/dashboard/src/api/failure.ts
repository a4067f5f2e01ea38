import { type ErrorCode, MillraceError } from "@millrace/core";
import type { ShowValue } from "@millrace/telemetry/masking";
import type { FailureView } from "./views/views.ts";

export type FailureStatus = 400 | 401 | 403 | 404 | 409 | 500 | 503;

const NOT_FOUND: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "job-not-found",
  "machine-not-found",
  "queue-not-found",
  "node-not-found",
  "operation-not-found",
  "schedule-not-found",
]);
const WRONG: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "invalid-duration",
  "invalid-option",
  "invalid-filter",
  "invalid-message",
  "invalid-name",
  "invalid-payload",
  "invalid-schedule",
]);
const AWAY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "broker-unavailable",
  "connection-closed",
  "outbox-failed",
  "publish-timeout",
  "request-timeout",
  "server-unreachable",
]);

/** An error as an answer. Of a defect nothing is told but that it is one. */
export function failureOf(
  error: unknown,
  show: ShowValue,
): {
  readonly status: FailureStatus;
  readonly body: FailureView;
} {
  if (!MillraceError.is(error))
    return {
      status: 500,
      body: { error: { code: "internal", message: "The dashboard failed; its log says more." } },
    };
  const { code } = error;
  return {
    status: statusOf(code),
    body: { error: { code, message: String(show(error.message)) } },
  };
}

function statusOf(code: ErrorCode): FailureStatus {
  if (NOT_FOUND.has(code)) return 404;
  if (WRONG.has(code)) return 400;
  if (code === "dashboard-denied") return 403;
  return AWAY.has(code) ? 503 : 409;
}
