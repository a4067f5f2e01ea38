import { type Envelope, type SettledExecution, UNSETTLED } from "@millrace/core";
import type { ExecutionRecord } from "./execution-record.ts";

export function envelope(fields: Partial<Envelope> = {}): Envelope {
  return {
    ...UNSETTLED,
    id: "a",
    name: "mail.welcome",
    queue: "mail",
    payload: { to: "ada" },
    createdAt: 900,
    headers: {},
    ...fields,
  };
}

export function settled(fields: Partial<SettledExecution> = {}): SettledExecution {
  return {
    id: "a",
    name: "mail.welcome",
    queue: "mail",
    state: "succeeded",
    outcome: "succeeded",
    attempts: 1,
    generation: 0,
    node: "n1",
    at: 1_000,
    startedAt: 990,
    durationMs: 10,
    ...fields,
  };
}

let made = 0;

export function record(fields: Partial<ExecutionRecord> = {}): ExecutionRecord {
  made += 1;
  return {
    recordId: `00000000-0000-4000-8000-${String(made).padStart(12, "0")}`,
    id: "a",
    name: "mail.welcome",
    queue: "mail",
    attempt: 1,
    node: "n1",
    state: "succeeded",
    outcome: "succeeded",
    createdAt: 900,
    startedAt: 990,
    at: 1_000,
    durationMs: 10,
    ...fields,
  };
}
