import { isTime, type PreparedJob, readEnvelope, type UniquePlan } from "@millrace/core";
import type { OutboxRow, SetAside } from "../store/outbox-store.ts";
import { tooLarge } from "./large-body.ts";

/** A row as a job that can be published, or why it never can. */
export type ReadRow =
  | { readonly ok: true; readonly seq: number; readonly job: PreparedJob }
  | ({ readonly ok: false } & SetAside);

/** Reads what any writer may have put there. Never throws. */
export function readRow(queue: string, row: OutboxRow): ReadRow {
  const { seq, id, kind, lane, body, createdAt } = row;
  const large = tooLarge(row);
  if (large !== undefined) return { ok: false, ...large };
  if (kind !== null)
    return refused(seq, "invalid-envelope", "kind must be NULL, or what fits the row's queue.");
  if (lane !== null && lane !== "high" && lane !== "low")
    return refused(seq, "invalid-envelope", `lane must be NULL, 'high' or 'low'.`);
  const headers = headersOf(row.headers);
  if (headers === undefined)
    return refused(
      seq,
      "invalid-header",
      "headers must be an object of strings, of each name once.",
    );
  const unique = uniqueOf(row.unique);
  if (unique === "unreadable")
    return refused(seq, "invalid-envelope", "unique_rule is not what an outbox writes.");
  const read = readEnvelope({
    queue,
    ...(lane === null ? {} : { lane }),
    // A program that may write to the database is trusted like one that enqueues.
    origin: "program",
    body,
    headers: { ...headers, "nats-msg-id": id },
    sequence: seq,
    // PostgreSQL's times have microseconds, and a job's are whole milliseconds.
    storedAt: Math.floor(createdAt),
  });
  if (!read.ok) return refused(seq, read.reason, read.error.message);
  const { envelope } = read;
  if (envelope.id !== id)
    return refused(seq, "invalid-envelope", "The id of the row and that of its body differ.");
  if (!isTime(envelope.createdAt))
    return refused(seq, "invalid-envelope", "created_at must be from 1970 on, before 10000.");
  return {
    ok: true,
    seq,
    job: { envelope, ...(unique === undefined ? {} : { unique }) },
  };
}

function refused(seq: number, reason: string, detail: string): ReadRow {
  return { ok: false, seq, reason, detail };
}

function headersOf(text: string): Record<string, string> | undefined {
  const value = parsed(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const headers: Record<string, string> = {};
  for (const [name, one] of Object.entries(value)) {
    const lower = name.toLowerCase();
    if (typeof one !== "string" || Object.hasOwn(headers, lower)) return undefined;
    headers[lower] = one;
  }
  return headers;
}

/** The shape is what this package writes; the column is not for others. */
function uniqueOf(text: string | null): UniquePlan | undefined | "unreadable" {
  if (text === null) return undefined;
  const value = parsed(text);
  if (typeof value !== "object" || value === null) return "unreadable";
  const plan = value as Partial<UniquePlan>;
  if (typeof plan.key !== "string" || plan.onConflict === undefined) return "unreadable";
  return { key: plan.key, while: plan.while, onConflict: plan.onConflict };
}

/** Any writer may have made the rows. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
