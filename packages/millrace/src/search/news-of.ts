import {
  type Arrival,
  decodeBody,
  type Envelope,
  errorFingerprint,
  type ErrorFingerprint,
  type HistoryRecord,
  type PlacedRecord,
  type RecordedError,
  type StoredDeadLetter,
  tracePart,
} from "@millrace/core";
import { shownError, shownTags, type ShowValue } from "@millrace/telemetry/masking";
import type { Cargo, EndedHow, News } from "./index-calls.ts";

/** A larger payload is not looked into. */
const MOST_PAYLOAD = 16 * 1024;
const MOST_TEXT = 2_000;

export function recordNews({ record, position }: PlacedRecord, show: ShowValue): News {
  const { id, queue, name, state, attempts, at, node, durationMs, error, reason } = record;
  const { createdAt = 0, life = 0, waitedMs, traceId } = record;
  const ended = endedHow(record);
  const shown = error === undefined ? undefined : shownError(error, show);
  return {
    ...{ kind: "record", id, queue, createdAt, life, position },
    ...(ended === undefined ? {} : { ended }),
    ...(waitedMs === undefined ? {} : { waitedMs }),
    ...(ended === undefined || error === undefined ? {} : { cause: causeOf(error, show) }),
    job: {
      ...{ id, queue, name, state, attempts, at, node },
      ...(durationMs === undefined ? {} : { durationMs }),
      ...(shown === undefined
        ? {}
        : { error: { type: shown.type, message: shown.message.slice(0, MOST_TEXT) } }),
      ...(reason === undefined ? {} : { reason: String(show(reason)).slice(0, MOST_TEXT) }),
      ...(traceId === undefined ? {} : { traceId }),
    },
  };
}

/** What dead letters of the same cause have. */
function causeOf(error: RecordedError, show: ShowValue): ErrorFingerprint {
  const { frame, ...print } = errorFingerprint(error, (text) => String(show(text)));
  return { ...print, ...(frame === undefined ? {} : { frame: String(show(frame)) }) };
}

function endedHow({ state, outcome }: HistoryRecord): EndedHow | undefined {
  if (state === "succeeded" || state === "dead") return state;
  return outcome === "failed" || outcome === "timed-out" ? "failed" : undefined;
}

export function arrivalNews({ envelope, position, storedAt }: Arrival, show: ShowValue): News {
  const { id, queue, name, attempts } = envelope;
  return {
    ...{ kind: "arrival", position, ...enqueueOf(envelope) },
    job: {
      ...{ id, queue, name, state: "queued", attempts, at: storedAt },
      ...tracePart(envelope.headers),
      ...cargoOf(envelope, show),
    },
  };
}

/** @returns how long its payload is as text, too: what is heard is held for a while */
export function heardNews(
  envelope: Envelope,
  at: number,
  show: ShowValue,
): { readonly news: News; readonly length: number } {
  const { payload, tags } = envelope;
  const { cargo, length } = measured(show(payload), tags && shownTags(tags, show));
  return { news: { ...{ kind: "heard", at, ...enqueueOf(envelope) }, cargo }, length };
}

/** A job that waits at a gate or for its time. */
export function waitingNews(envelope: Envelope, show: ShowValue): News {
  return { ...{ kind: "cargo", ...enqueueOf(envelope) }, cargo: cargoOf(envelope, show) };
}

export function letterNews(letter: StoredDeadLetter, show: ShowValue): News | undefined {
  const { id, queue, name, attempts, at, node, reason, error } = letter;
  if (name === undefined) return undefined;
  const shown = error === undefined ? undefined : shownError(error, show);
  const { cargo, createdAt, life } = readLetter(letter, show);
  return {
    ...{ kind: "cargo", id, queue, createdAt, life, cargo },
    // Where its record is gone already.
    job: {
      ...{ id, queue, name, state: "dead", attempts, at, node, reason },
      ...tracePart(letter.headers),
      ...(shown === undefined
        ? {}
        : { error: { type: shown.type, message: shown.message.slice(0, MOST_TEXT) } }),
    },
  };
}

/**
 * What a letter carries: nothing where it can't be read, or could not be written with its payload.
 * Of which enqueue and life it is counts only where the runtime wrote it: a producer writes what it
 * likes.
 */
function readLetter(
  { body, headers, door }: StoredDeadLetter,
  show: ShowValue,
): { readonly cargo: Cargo; readonly createdAt: number; readonly life: number } {
  const unknown = { cargo: {}, createdAt: 0, life: 0 };
  try {
    const read = decodeBody(body, headers["content-type"]);
    if (typeof read !== "object" || read === null || !("payload" in read)) return unknown;
    const tags: unknown = "tags" in read ? read.tags : undefined;
    const list = Array.isArray(tags) ? (tags as readonly unknown[]) : undefined;
    const cargo = bounded(show(read.payload), list && shownTags(list, show));
    if (door !== "runtime") return { ...unknown, cargo };
    const { createdAt = 0, life = 0 } = read as {
      readonly createdAt?: unknown;
      readonly life?: unknown;
    };
    return { cargo, createdAt: Number(createdAt), life: Number(life) };
  } catch {
    return unknown;
  }
}

function enqueueOf({ id, queue, createdAt, life = 0 }: Envelope): {
  readonly id: string;
  readonly queue: string;
  readonly createdAt: number;
  readonly life: number;
} {
  return { id, queue, createdAt, life };
}

function cargoOf({ payload, tags }: Envelope, show: ShowValue): Cargo {
  return bounded(show(payload), tags && shownTags(tags, show));
}

function bounded(payload: unknown, tags: readonly string[] | undefined): Cargo {
  return measured(payload, tags).cargo;
}

function measured(
  payload: unknown,
  tags: readonly string[] | undefined,
): { readonly cargo: Cargo; readonly length: number } {
  const text = payload === undefined ? undefined : JSON.stringify(payload);
  const isKept = text !== undefined && text.length <= MOST_PAYLOAD;
  const cargo = { ...(isKept ? { payload } : {}), ...(tags === undefined ? {} : { tags }) };
  return { cargo, length: isKept ? text.length : 0 };
}
