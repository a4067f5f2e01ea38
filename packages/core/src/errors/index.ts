/** For threads that do one thing: the whole of this package costs each of them memory. */
export { MillraceError } from "./millrace-error.ts";
