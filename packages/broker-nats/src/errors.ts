import type { ErrorCode } from "@millrace/core";

// The thread that extends leases comes by here, and nothing else of core is loaded into it.
export { MillraceError } from "@millrace/core/basics";
export type NatsErrorCode = ErrorCode;
