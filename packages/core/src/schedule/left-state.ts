import type { DocumentStore } from "../broker/stores/document-store.ts";
import { MillraceError } from "../errors/millrace-error.ts";

/**
 * Before a schedule is stored under a name that has none: removes what an earlier one of that name
 * has left. Its removal may have ended in the middle, or a pause that was under way have come after
 * it; and the new one would be paused, or go on where the earlier one was.
 *
 * The state is read before the schedule: if there is none then, the state that was read is no
 * schedule's, and only that one is removed. Whoever dies before the schedule is stored has removed
 * nothing that is missed.
 */
export async function removeLeftState(
  schedules: Pick<DocumentStore, "find">,
  states: Pick<DocumentStore, "find" | "remove">,
  name: string,
): Promise<void> {
  const left = await states.find(name);
  if (left === undefined || (await schedules.find(name)) !== undefined) return;
  try {
    await states.remove(name, left.revision);
  } catch (error) {
    // Somebody was first, and may have stored the schedule by now.
    if (!MillraceError.is(error, "revision-conflict")) throw error;
  }
}
