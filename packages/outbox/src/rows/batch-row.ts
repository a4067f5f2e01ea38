import {
  decodeBody,
  encodeMsgpack,
  type Envelope,
  isId,
  isQueueName,
  isTime,
  type JobRef,
  type MadeBatch,
  MillraceError,
} from "@millrace/core";
import type { OutboxRow, SetAside } from "../store/outbox-store.ts";
import { MOST_BODY_BYTES, tooLarge } from "./large-body.ts";
import { parsed, readRow } from "./read-row.ts";
import type { NewRow, StoredJob } from "./stored-job.ts";

const MSGPACK = "application/msgpack";

/** A batch as the relay needs it: nothing of it is published yet. */
export interface BatchInRow {
  readonly id: string;
  /** As `MadeBatch` has it. */
  readonly isKey: boolean;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly callback: Envelope;
  readonly members: readonly StoredJob[];
}

/** On the wire of one row, which only this package writes and reads. */
interface Body {
  readonly id: string;
  /** Absent of those that earlier versions wrote: false. */
  readonly isKey?: boolean;
  readonly createdAt: number;
  readonly callback: StoredJob;
  readonly members: readonly StoredJob[];
}

/**
 * One row for a whole batch, in the outbox of its callback's queue. The relay makes the batch
 * known, then puts the jobs into the row's place: no job can end before its batch is there.
 *
 * @throws MillraceError `payload-too-large`
 */
export function batchRow(
  { id, isKey }: Pick<MadeBatch, "id" | "isKey">,
  callback: StoredJob,
  members: readonly StoredJob[],
  now: number,
): NewRow {
  // Before they are put together: it may be more than the process has.
  requireRoom(id, sizeOf(members));
  const batch: Body = { id, isKey, createdAt: now, callback, members };
  const body = encodeMsgpack(batch);
  requireRoom(id, body.length);
  return { id, queue: callback.queue, kind: "batch", body };
}

function sizeOf(members: readonly StoredJob[]): number {
  return members.reduce((sum, { body, headers }) => sum + body.length + headers.length, 0);
}

function requireRoom(id: string, bytes: number): void {
  if (bytes <= MOST_BODY_BYTES) return;
  throw new MillraceError(
    "payload-too-large",
    `The batch ${id} takes ${bytes} bytes with its jobs; an outbox stores ${MOST_BODY_BYTES} of one at most. Make several batches of it, or store the data in a table of your own and send references to it.`,
  );
}

export type ReadBatch =
  | { readonly ok: true; readonly seq: number; readonly batch: BatchInRow }
  | ({ readonly ok: false } & SetAside);

/** Never throws. */
export function readBatchRow(queue: string, row: OutboxRow): ReadBatch {
  const { seq, body, createdAt } = row;
  const large = tooLarge(row);
  if (large !== undefined) return { ok: false, ...large };
  try {
    const decoded = decodeBody(body, MSGPACK, Number.POSITIVE_INFINITY);
    const { id, isKey = false, createdAt: at, callback, members } = requireBody(decoded, row.id);
    const read = readRow(queue, { ...callback, seq, kind: null, subject: null, createdAt });
    if (!read.ok) return read;
    const batch = { id, isKey, createdAt: at, callback: read.job.envelope, members };
    return { ok: true, seq, batch };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { ok: false, seq, reason: "undecodable", detail: `The batch can't be read: ${detail}.` };
  }
}

/**
 * What each of its jobs holds is looked at when that is published.
 *
 * @throws Error that says what it lacks
 */
function requireBody(value: unknown, rowId: string): Body {
  if (typeof value !== "object" || value === null) throw new Error("it is no object");
  const body = value as Readonly<Record<keyof Body, unknown>>;
  const { members } = body;
  if (!isId(body.id) || body.id !== rowId) throw new Error("its id is not that of its row");
  if (body.isKey !== undefined && typeof body.isKey !== "boolean")
    throw new Error("it does not say whether its id is a key");
  if (!isTime(body.createdAt)) throw new Error("it does not say when it was made");
  if (!isStoredJob(body.callback)) throw new Error("its callback is no job");
  if (!Array.isArray(members)) throw new Error("it has no list of jobs");
  const place = members.findIndex((member) => !isStoredJob(member));
  if (place >= 0) throw new Error(`its job ${place + 1} is none`);
  return body as Body;
}

function isStoredJob(value: unknown): value is StoredJob {
  if (typeof value !== "object" || value === null) return false;
  const job = value as Readonly<Record<keyof StoredJob, unknown>>;
  return (
    isId(job.id) &&
    isQueueName(job.queue) &&
    (job.lane === null || job.lane === "high" || job.lane === "low") &&
    job.body instanceof Uint8Array &&
    isObject(job.headers) &&
    (job.unique === null || isObject(job.unique))
  );
}

/** As JSON. */
function isObject(text: unknown): boolean {
  const value = typeof text === "string" ? parsed(text) : undefined;
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function membersOf({ members }: BatchInRow): readonly JobRef[] {
  return members.map(({ id, queue }) => ({ id, queue }));
}
