import { defined } from "@millrace/core";
import type { CliIo } from "./io.ts";

/** Shows what comes for as long as somebody reads it: `show` is ended by the signal it is given. */
export async function whileRead(
  { unread }: Pick<CliIo, "unread">,
  show: (options: { readonly signal?: AbortSignal }) => Promise<void>,
): Promise<void> {
  try {
    await show(defined({ signal: unread }));
  } catch (error) {
    if (unread?.aborted !== true) throw error;
  }
}
