/**
 * For threads that do one thing, such as the one that extends leases: loading the whole of this
 * package would cost each of them memory, and processor time at its start.
 */
export { MAX_HEADERS } from "./envelope/headers.ts";
export { MillraceError } from "./errors/millrace-error.ts";
export { systemClock } from "./time/system-clock.ts";
