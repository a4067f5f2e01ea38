import { type Completion, completeFilter } from "../../filter/complete-filter.ts";

const FIELD_WORDS: Readonly<Record<string, string>> = {
  error: "the type of its error",
  message: "the text of its error",
  fingerprint: "its error's type, message without what varies, and place, as causes have it",
  name: "the job's name",
  queue: "its queue",
  reason: "why it is dead",
  id: "its id",
  age: "how long ago it died: age<2h",
  attempts: "attempts that have ended: attempts>3",
  node: "who buried it",
  at: "when it died: at>2030-01-01T00:00Z",
  payload: "any field of its payload",
};

/** How a filter of dead letters may go on. Nothing is read for it, so it knows no values. */
export function completeDead(filter: string): readonly Completion[] {
  return completeFilter(filter, FIELD_WORDS, {});
}
