import type { ErrorCode } from "@millrace/core";

export { MillraceError } from "@millrace/core";
export type NatsErrorCode = ErrorCode;
