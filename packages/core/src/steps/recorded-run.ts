import { Buffer } from "node:buffer";
import type { StoredStep } from "../broker/stores/journal-store.ts";
import { decodeBody, encodeMsgpack } from "../envelope/body.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { MillraceError } from "../errors/millrace-error.ts";

/**
 * A job with steps as it stood at a time, and what was on record of it. It is JSON, so that it can
 * be kept beside tests: the payload and the steps are msgpack in base64, and nothing is masked.
 */
export interface RecordedRun {
  readonly v: 1;
  readonly job: Omit<Envelope, "payload">;
  readonly payload: string;
  readonly steps: readonly string[];
  /** When it was read, epoch milliseconds. */
  readonly at: number;
}

/** A recorded run as it is replayed. */
export interface ReadRun {
  readonly envelope: Envelope;
  readonly steps: readonly StoredStep[];
  readonly at: number;
}

const MSGPACK = "application/msgpack";

export function recordRun(
  { payload, ...job }: Envelope,
  steps: readonly StoredStep[],
  at: number,
): RecordedRun {
  return {
    ...{ v: 1, job, at },
    payload: base64(encodeMsgpack(payload)),
    steps: steps.toSorted((a, b) => a.revision - b.revision).map(({ data }) => base64(data)),
  };
}

/** @throws MillraceError `invalid-message` for what is no recorded run */
export function readRun(recorded: unknown): ReadRun {
  const { v, job, payload, steps, at } = (recorded ?? {}) as Partial<Record<string, unknown>>;
  const { id, name, queue, createdAt } = (job ?? {}) as Partial<Record<string, unknown>>;
  const isRun =
    v === 1 &&
    [id, name, queue, payload].every((one) => typeof one === "string") &&
    [createdAt, at].every((one) => typeof one === "number") &&
    Array.isArray(steps) &&
    steps.every((one) => typeof one === "string");
  if (!isRun) throw new MillraceError("invalid-message", "This is no recorded run.");
  try {
    const read = recorded as RecordedRun;
    return {
      envelope: { ...read.job, payload: decodeBody(bytes(read.payload), MSGPACK) },
      steps: read.steps.map((data, at) => ({ data: bytes(data), revision: at + 1 })),
      at: read.at,
    };
  } catch (cause) {
    throw new MillraceError("invalid-message", "The payload of a recorded run can't be read.", {
      cause,
    });
  }
}

function base64(data: Uint8Array): string {
  return Buffer.from(data).toString("base64");
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}
