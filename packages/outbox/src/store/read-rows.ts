import type { Row } from "../database/transaction.ts";
import type { OutboxStatus, SetAsideRow } from "./outbox-store.ts";

export function asStatus(row: Row): OutboxStatus {
  return {
    queue: String(row["queue"]),
    waiting: Number(row["waiting"]),
    oldestAgeMs: Math.max(0, Number(row["age"])),
    setAside: Number(row["aside"]),
    ...(row["trouble"] == null
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
  };
}
