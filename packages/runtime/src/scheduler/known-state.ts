import { type Document, readScheduleState, type ScheduleState } from "@millrace/core";
import { isNewer, type Written } from "../service/written.ts";

/** A schedule's state, and the revision at which it may be written over. */
export interface KnownState {
  readonly state: ScheduleState;
  readonly revision: number;
}

export function knownOf(document: Omit<Document, "key"> | undefined): KnownState {
  return { state: readScheduleState(document?.value), revision: document?.revision ?? 0 };
}

/** Lower than what was seen before, and written later: its store was lost and has begun anew. */
export function isOfNewStore(document: Document | undefined, seen: Written | undefined): boolean {
  return (
    document !== undefined && document.revision <= (seen?.revision ?? 0) && isNewer(document, seen)
  );
}
