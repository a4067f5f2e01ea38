import { tracePart } from "@millrace/core";
import type { Row } from "../database/transaction.ts";
import { parsed } from "../rows/read-row.ts";
import type { OutboxRow, OutboxStatus, SetAsideRow } from "./outbox-store.ts";

export function asRow(row: Row): OutboxRow {
  return {
    seq: Number(row["seq"]),
    id: String(row["id"]),
    kind: textOrNull(row["kind"]),
    lane: textOrNull(row["lane"]),
    subject: textOrNull(row["subject"]),
    ...bodyOf(row),
    headers: String(row["headers"]),
    unique: textOrNull(row["unique_rule"]),
    createdAt: Number(row["created_at"]),
  };
}

function bodyOf({ body, size }: Row): Pick<OutboxRow, "body" | "unreadBytes"> {
  return body === null
    ? { body: new Uint8Array(), unreadBytes: Number(size) }
    : { body: body as Uint8Array };
}

function textOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}

export function asStatus(row: Row): OutboxStatus {
  const waiting = Number(row["waiting"]);
  return {
    queue: String(row["queue"]),
    waiting,
    oldestAgeMs: Math.max(0, Number(row["age"])),
    setAside: Number(row["aside"]),
    // The relay that noted it may be gone, with nobody left who would know that it is over.
    ...(row["trouble"] == null || waiting === 0
      ? {}
      : {
          trouble: {
            message: String(row["trouble"]),
            forMs: Math.max(0, Number(row["trouble_age"])),
          },
        }),
  };
}

export function asSetAside(row: Row): SetAsideRow {
  return {
    seq: Number(row["seq"]),
    id: String(row["id"]),
    queue: String(row["queue"]),
    reason: String(row["reason"]),
    detail: String(row["detail"]),
    ageMs: Math.max(0, Number(row["age"])),
    ...traceOf(String(row["headers"])),
  };
}

/** A trace that can't be read counts as none. Any writer may have made the row: `Traceparent`. */
function traceOf(headers: string): Pick<SetAsideRow, "traceId"> {
  const named = Object.entries(parsed(headers) ?? {});
  const traceparent: unknown = named.findLast(
    ([name]) => name.toLowerCase() === "traceparent",
  )?.[1];
  return typeof traceparent === "string" ? tracePart({ traceparent }) : {};
}
