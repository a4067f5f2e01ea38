import type { HistoryRecord } from "@millrace/core";
import type { FilterFields } from "../filter/filter-fields.ts";
import { seePayload, UNSEEN } from "../filter/seen-payload.ts";

/** A job as the index knows it: how it last stood on record. Times are epoch milliseconds. */
export interface IndexedJob {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  /** `queued` until there is a record of it; then what the latest record says. */
  readonly state: "queued" | HistoryRecord["state"];
  readonly attempts: number;
  /** Since when. */
  readonly at: number;
  readonly createdAt?: number;
  readonly node?: string;
  readonly durationMs?: number;
  readonly error?: { readonly type: string; readonly message: string };
  readonly reason?: string;
  /** What its attempts failed of, whatever became of it; of more than 50, the first. */
  readonly fingerprints?: readonly string[];
  /** Its trace, where it was traced. */
  readonly traceId?: string;
  /** Masked. Absent where it has none, or nobody has seen what it carries. */
  readonly tags?: readonly string[];
  /** Masked. Absent where nobody has seen it, or where it is larger than 16 KiB. */
  readonly payload?: unknown;
}

/** Of one job. A job that fails for another cause each time is not found by all of them. */
export const MOST_CAUSES = 50;

export const INDEX_FIELDS: FilterFields<IndexedJob> = {
  texts: {
    id: ({ id }) => id,
    name: ({ name }) => name,
    queue: ({ queue }) => queue,
    state: ({ state }) => state,
    node: ({ node }) => node ?? "",
    error: ({ error }) => error?.type ?? "",
    message: ({ error }) => error?.message ?? "",
    reason: ({ reason }) => reason ?? "",
    tag: ({ tags }) => tags ?? [],
    fingerprint: ({ fingerprints }) => fingerprints ?? [],
  },
  numbers: { attempts: ({ attempts }) => attempts },
  durations: { took: ({ durationMs }) => durationMs },
  at: ({ at }) => at,
  payload: ({ payload }) => (payload === undefined ? UNSEEN : seePayload(payload)),
  words: ["id", "name", "queue", "error", "message", "reason", "tag"],
  hides: ({ tags, payload, fingerprints = [] }, field) =>
    (field === "tag" && tags === undefined && payload === undefined) ||
    (field === "fingerprint" && fingerprints.length >= MOST_CAUSES),
};

/** What the fields are, for who completes a filter. */
export const FIELD_WORDS: Readonly<Record<string, string>> = {
  state: "how it stands",
  name: "the job's name",
  queue: "its queue",
  error: "the type of its error",
  message: "the text of its error",
  id: "its id",
  age: "how long ago: age<2h",
  attempts: "attempts that have ended: attempts>3",
  took: "how long its attempt took: took>5s",
  node: "who settled it",
  reason: "why it is dead, or was cancelled",
  fingerprint: "of what one of its attempts failed, as causes have it",
  tag: "one of its tags",
  at: "when: at>2030-01-01T00:00Z",
  payload: "any field of its payload",
};
