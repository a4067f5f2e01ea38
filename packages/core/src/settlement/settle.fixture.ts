import type { Outcome } from "./outcome.ts";
import { type Envelope, UNSETTLED } from "../envelope/envelope.ts";
import type { QueueMessage } from "../envelope/message.ts";
import type { RecordedError } from "../errors/recorded-error.ts";
import { retryPolicy } from "../retry/backoff.ts";
import type { SettlementInput } from "./settlement.ts";

export const NOW = 1_700_000_000_000;
export const ERROR: RecordedError = { type: "TypeError", message: "it broke" };

export const envelope: Envelope = {
  ...UNSETTLED,
  id: "job-1",
  name: "mail.welcome",
  queue: "mail",
  payload: { to: "a@b.c" },
  createdAt: NOW - 5_000,
  headers: { traceparent: "00-1-2-01" },
};

export const message: QueueMessage = {
  queue: "mail",
  origin: "producer",
  body: new Uint8Array([1, 2, 3]),
  headers: { "x-tenant": "seven", "nats-msg-id": envelope.id },
  sequence: 9,
  storedAt: NOW - 4_000,
};

/** A settlement's input with what matters to the test put over it. */
export function inputOf(
  more: Pick<SettlementInput, "outcome"> & Partial<SettlementInput>,
): SettlementInput {
  return {
    envelope,
    message,
    deliveryCount: 1,
    from: "running",
    now: NOW,
    random: 0.5,
    node: "node-a",
    policy: retryPolicy({ attempts: 3, backoff: "fixed", base: "10s", jitter: false }),
    ...more,
  };
}

export const failed = { kind: "failed", error: ERROR, retry: "policy" } as const satisfies Outcome;

export const rejected = {
  kind: "rejected",
  reason: "invalid-payload",
  error: { type: "invalid-payload", message: "to: no address" },
} as const satisfies Outcome;
