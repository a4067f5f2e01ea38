import { shownError } from "@millrace/telemetry/masking";

/** Of a cause, or of the letters of one: its message as it may be shown. */
export function maskedMessage(
  {
    error: type = "",
    message,
  }: { readonly error?: string | undefined; readonly message?: string | undefined },
  show: Parameters<typeof shownError>[1],
): { readonly message?: string } {
  return message === undefined ? {} : { message: shownError({ type, message }, show).message };
}
