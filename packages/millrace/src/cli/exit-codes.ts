import { type ErrorCode, MillraceError } from "@millrace/core";

/** What a script learns from the exit code. A public contract: `docs/cli.md` lists it. */
export const EXIT = {
  ok: 0,
  /** The command was understood and could not do it all, or did not find what was asked for. */
  failed: 1,
  /** The command line, the configuration or the job is wrong: trying again won't help. */
  usage: 2,
  /** No server could be used: trying again later may help. */
  unreachable: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const USAGE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "invalid-option",
  "invalid-duration",
  "invalid-filter",
  "invalid-job",
  "invalid-schedule",
  "invalid-name",
  "invalid-payload",
  "unserializable-payload",
  "payload-too-large",
  "invalid-header",
  "invalid-message",
  "past-not-before",
  "already-expired",
  "duplicate-job",
  "no-handler",
  "job-file-failed",
  "no-jobs",
  "nodejs-too-old",
  "store-in-use",
  "dashboard-unprotected",
  "incomplete-bundle",
  "machine-unsupported",
]);

const UNREACHABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "broker-unavailable",
  "server-unreachable",
  "server-too-old",
  "server-unavailable",
  "server-failed",
  "auth-failed",
  "credentials-unreadable",
  "tls-failed",
  "permission-denied",
  "jetstream-disabled",
  "publish-timeout",
  "request-timeout",
  "connection-closed",
  "outbox-failed",
]);

export function exitCodeOf(error: unknown): ExitCode {
  if (!MillraceError.is(error)) return EXIT.failed;
  if (USAGE.has(error.code)) return EXIT.usage;
  return UNREACHABLE.has(error.code) ? EXIT.unreachable : EXIT.failed;
}
