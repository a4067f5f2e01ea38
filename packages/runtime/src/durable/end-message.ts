import {
  AlteredNumber,
  DEFAULT_MAX_VALUES,
  type HistoryRecord,
  type InvokedEnd,
  MAX_DEPTH,
  MAX_EVENT_BYTES,
  notPlain,
  type RecordedError,
  RefusedValue,
  scanJson,
} from "@millrace/core";

/** As deep as `notPlain` lets a machine and a client send. */
const MOST_LEVELS = MAX_DEPTH + 1;

/** How an invoked job has ended, as its machine is told. */
export function endMessage(job: string, record: HistoryRecord): Uint8Array {
  const { state, output, outputDropped, error, reason } = record;
  if (state !== "succeeded")
    return written({ job, error: error ?? problem(state, reason ?? "it has no error") });
  if (outputDropped === "unserializable")
    return written({
      job,
      error: problem(
        "unserializable-payload",
        `its result was dropped: ${reason ?? "it is no plain data"}`,
      ),
    });
  if (outputDropped !== undefined) return largeEndMessage(job, "its result was dropped");
  if (output instanceof RefusedValue)
    return written({ job, error: problem(output.code, `its result can't be sent: ${output.why}`) });
  const lost = notPlain(output, "its result");
  if (lost !== undefined)
    return written({
      job,
      error: problem("unserializable-payload", `${lost}, which JSON has not`),
    });
  const data = written({ job, ...(output === undefined ? {} : { output }) });
  if (data.length <= MAX_EVENT_BYTES) return data;
  return largeEndMessage(job, `its result takes more than ${MAX_EVENT_BYTES} bytes`);
}

/** The end of a job whose result can't be told: the work is done, and the machine hears why not. */
export function largeEndMessage(job: string, why: string): Uint8Array {
  return written({ job, error: problem("payload-too-large", why) });
}

/** A job that could not even be enqueued. */
export function refusalMessage(job: string, { type, message }: RecordedError): Uint8Array {
  return written({ job, error: { type, message } });
}

/** @returns undefined for bytes that no node wrote */
export function readEnd(data: Uint8Array): InvokedEnd | undefined {
  const { job, output, error } = (readJson(data) ?? {}) as Partial<Record<string, unknown>>;
  if (typeof job !== "string") return undefined;
  const { type, message } = (error ?? {}) as Partial<Record<string, unknown>>;
  if (error === undefined) return { job, ...(output === undefined ? {} : { output }) };
  return { job, error: { type: String(type), message: String(message) } };
}

/**
 * What whoever may send to a machine wrote. It is bounded like a job's payload: what recurses on it
 * later, as writing a document does, could else be made to fail for ever. A number that would be
 * altered is refused, as in a payload.
 */
export function readSent(data: Uint8Array): Sent {
  try {
    scanJson(data, DEFAULT_MAX_VALUES, MOST_LEVELS);
  } catch (error) {
    return { value: undefined, ...(error instanceof AlteredNumber ? { why: error.message } : {}) };
  }
  return { value: readJson(data) };
}

interface Sent {
  /** Undefined for what is no JSON, nests too deep, holds too many values or an altered number. */
  readonly value: unknown;
  /** The number that would be altered. */
  readonly why?: string;
}

/** @returns undefined for what is no JSON */
export function readJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data)) as unknown;
  } catch {
    return undefined;
  }
}

export function writeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function written({ error, ...end }: InvokedEnd): Uint8Array {
  if (error === undefined) return writeJson(end);
  return writeJson({ ...end, error: { type: error.type, message: error.message } });
}

function problem(type: string, why: string): RecordedError {
  return { type, message: `The invoked job is settled, and ${why}.` };
}
