import type { ErrorCode } from "@millrace/core";

/** What no later look could mend. */
export const HOPELESS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "permission-denied",
  "jetstream-disabled",
  "connection-closed",
  "invalid-name",
]);
